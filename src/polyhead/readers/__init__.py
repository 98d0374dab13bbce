"""Reads data sets in files as sources: folders, COCO, YOLO, PASCAL VOC."""

"""Files of data sets as sources: folders, COCO, YOLO, PASCAL VOC."""

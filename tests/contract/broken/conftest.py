"""Programs that `test_doctor.py` runs; they are no modules of tests."""

collect_ignore_glob = ["*.py"]

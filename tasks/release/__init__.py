"""What a model goes through that leaves the project: the stages of release/dvc.yaml, as steps."""

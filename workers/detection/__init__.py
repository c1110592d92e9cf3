"""The detectors of trends and events beside a running pipeline: fed, stored, restored, told of."""

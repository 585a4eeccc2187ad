"""Who may answer, and at what rate: the registry read from `pointsman.yaml`, dated rates, and the bill of an answer."""

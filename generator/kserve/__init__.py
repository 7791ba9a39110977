"""What every target under KServe shares: its InferenceService, and the rules that KServe makes."""

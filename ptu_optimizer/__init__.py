"""Fill the idle part of Azure OpenAI provisioned throughput with queued requests."""

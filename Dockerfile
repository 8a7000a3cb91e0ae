# The app on Microsoft's image of the Functions host and its Python worker.
#
#   docker build --tag ptu-optimizer .
#
# Microsoft keeps the tag of a major version patched and asks for regular rebuilds. A build that can be
# repeated names what the tag stood for:
#
#   docker build --build-context \
#     mcr.microsoft.com/azure-functions/python:4-python3.13=docker-image://mcr.microsoft.com/azure-functions/python@sha256:... .
FROM mcr.microsoft.com/azure-functions/python:4-python3.13

# first what changes least: the packages are a layer of their own
COPY requirements.txt /tmp/requirements.txt
RUN python -m pip install --no-cache-dir --disable-pip-version-check --requirement /tmp/requirements.txt \
    && rm /tmp/requirements.txt

# Not as root. The host writes where the variables below point; where it has been seen to write regardless
# belongs to its user as well (Azure/azure-functions-docker issues 424 and 1210).
RUN mkdir -p /azure-functions-host/Secrets /home/LogFiles /home/data /home/site/wwwroot \
    && chown -R 10001:10001 /azure-functions-host/Secrets /home/LogFiles /home/data

# the app belongs to root: what runs it cannot change it
COPY host.json function_app.py /home/site/wwwroot/
COPY ptu_optimizer /home/site/wwwroot/ptu_optimizer

# the port: the usual one, 80, would need privileges
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    ASPNETCORE_URLS=http://+:7071 \
    FUNCTIONS_SECRETS_PATH=/tmp/functions/secrets \
    FUNCTIONS_LOG_PATH=/tmp/functions/logs \
    HOME=/tmp/home \
    PYTHONDONTWRITEBYTECODE=1

EXPOSE 7071
USER 10001:10001

# alive; whether the services it stands on answer is GET /health?ready=1
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7071/health', timeout=4)"]

# the image's own start script first copies certificates, which needs root
CMD ["/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"]

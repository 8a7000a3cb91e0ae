"""The app's Entra identity, built once, and only when a connection needs it."""

from __future__ import annotations

from azure.identity.aio import DefaultAzureCredential

OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
"""The scope of a token for Azure OpenAI's deployment routes."""


class Identity:
    """Hands out one credential; `client_id` names a user-assigned identity."""

    def __init__(self, *, client_id: str | None) -> None:
        self._client_id = client_id
        self._credential: DefaultAzureCredential | None = None

    @property
    def credential(self) -> DefaultAzureCredential:
        if self._credential is None:
            self._credential = DefaultAzureCredential(
                managed_identity_client_id=self._client_id,
                # a server has no browser, shell or IDE to ask
                exclude_interactive_browser_credential=True,
                exclude_visual_studio_code_credential=True,
                exclude_powershell_credential=True,
            )
        return self._credential

    async def token(self) -> str:
        """A bearer token for Azure OpenAI; the credential keeps it until it is nearly old."""
        return (await self.credential.get_token(OPENAI_SCOPE)).token

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()

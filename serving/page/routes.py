"""Owns GET / and the files of the page under /page/, with the content-security policy that binds them."""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from serving.accepting import takes_gzip
from serving.page.files import INDEX, WebFile, load_files
from serving.protocols.heads import find_service
from twohands import __version__

PAGE_PREFIX = "/page/"
router = APIRouter(include_in_schema=False)

# `trusted-types 'none'`: no script may turn a string into markup, so nothing that a user typed can become HTML even
# by a mistake of ours.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    # Kept, but asked after each time: a new version of the service is seen at once.
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "vary": "accept-encoding",
}


def _answer(request: Request, found: WebFile, **headers: str) -> Response:
    sent = _HEADERS | {"etag": found.etag} | headers
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    content = found.content
    if found.zipped is not None and takes_gzip(request.headers.getlist("accept-encoding")):
        content, sent = found.zipped, sent | {"content-encoding": "gzip"}
    return Response(content, headers=sent, media_type=found.media_type)


def wants_json(headers: Mapping[str, str]) -> bool:
    """Whether a caller of `/` asks for JSON and not for a page."""
    accepted = headers.get("accept", "").lower()
    return "json" in accepted and "text/html" not in accepted


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page; to a program that accepts JSON only, where to look.

    For text-embeddings-inference this is a health path, and load balancers ask it where they are told no other: who
    does not ask for HTML hears whether requests are answered.
    """
    if "text/html" not in request.headers.get("accept", "").lower():
        find_service(request).check_ready()
    if wants_json(request.headers):
        return JSONResponse(
            {
                "name": "twohands",
                "version": __version__,
                "info": "/info",
                "openapi": "/openapi.json",
                "example": "curl -s HOST/v1/classify -H 'content-type: application/json' -d '{\"inputs\": \"...\"}'",
            },
            headers={"vary": "accept"},
        )
    found = await asyncio.to_thread(load_files)
    return _answer(request, found[INDEX], vary="accept, accept-encoding")


@router.api_route(PAGE_PREFIX + "{path:path}", methods=["GET", "HEAD"])
async def page_file(request: Request, path: str) -> Response:
    """A stylesheet, script, font or picture of the page."""
    found = (await asyncio.to_thread(load_files)).get(path)
    if found is None or path == INDEX:
        raise HTTPException(404)
    return _answer(request, found)

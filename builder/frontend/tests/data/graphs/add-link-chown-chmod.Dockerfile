# covers: ADD --link, ADD --chown, ADD --chmod
FROM localhost:5000/base:1
ADD --link --chown=1:2 a /d/
ADD --chmod=0755 --chown=app:app b /d/
ADD --link --chmod=644 c /d/

ARG TOKEN=x
FROM scratch
ARG API_KEY password=1 KEYS monkey
ARG PUBLIC_KEY SSH_KEY_FILE TOKEN_VERSION
ENV GITHUB_TOKEN=x MY_AUTH=y AUTHOR=z
ENV secret_ x
ENV apikey=1 api_secret_x=2 credentials=3 pword=4

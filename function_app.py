"""The Functions app: the blueprints of `ptu_optimizer.triggers`, nothing else."""

import azure.functions as func

from ptu_optimizer.triggers import blueprints

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in blueprints():
    app.register_functions(blueprint)

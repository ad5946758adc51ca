"""Goes through the steps of a file with boto3 and writes what came of each.

    PYTHONPATH=<where boto3 is> python3 boto.py STEPS.json OUTCOMES.json
"""
import datetime
import json
import re
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SPECIAL = {'@NaN': float('nan'), '@Infinity': float('inf')}


def make_client(plan, given):
    return boto3.client(
        's3vectors', endpoint_url=plan['endpoint'], region_name=given['region'], aws_access_key_id=given['key'],
        aws_secret_access_key=given['secret'], aws_session_token=given.get('token'),
        config=Config(parameter_validation=False, retries={'total_max_attempts': given['attempts'], 'mode': 'standard'}))


def revive(value):
    """NaN and Infinity, which JSON cannot say."""
    if isinstance(value, str):
        return SPECIAL.get(value, value)
    if isinstance(value, list):
        return [revive(element) for element in value]
    return {name: revive(element) for name, element in value.items()} if isinstance(value, dict) else value


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    raise TypeError(type(value))


def control(plan, wanted):
    body = wanted.get('body')
    request = urllib.request.Request(plan['control'] + wanted['path'], body.encode() if body else None, method=wanted['method'])
    with urllib.request.urlopen(request) as answer:
        return {'ok': json.loads(answer.read())}


def perform(plan, clients, step):
    if 'control' in step:
        return control(plan, step['control'])
    method = getattr(clients[step.get('client', 'default')], re.sub('(?<!^)(?=[A-Z])', '_', step['call']).lower(), None)
    if method is None:
        return {'missing': True}
    members, pages, attempts = revive(step['input']), [], 0
    try:
        while True:
            output = method(**members)
            attempts = max(attempts, output.pop('ResponseMetadata')['RetryAttempts'] + 1)
            pages.append(output)
            if not step.get('pages') or not output.get('nextToken'):
                break
            members['nextToken'] = output['nextToken']
    except ClientError as error:
        return {'error': error.response['Error']['Code'], 'message': error.response['Error']['Message'],
                'status': error.response['ResponseMetadata']['HTTPStatusCode']}
    except BotoCoreError as error:
        return {'error': type(error).__name__, 'status': 0, 'message': str(error)}
    if not step.get('pages'):
        return {'ok': pages[0], 'attempts': attempts}
    name = step['pages']
    return {'ok': {name: [entry for page in pages for entry in page[name]]}, 'pages': len(pages), 'attempts': attempts}


def main(steps_path, outcomes_path):
    with open(steps_path) as file:
        plan = json.load(file)
    clients = {name: make_client(plan, given) for name, given in plan['clients'].items()}
    outcomes = {step['name']: perform(plan, clients, step) for step in plan['steps']}
    with open(outcomes_path, 'w') as file:
        json.dump({'client': f'boto3 {boto3.__version__}', 'outcomes': outcomes}, file, default=plain)


if __name__ == '__main__':
    main(*sys.argv[1:])

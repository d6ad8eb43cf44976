"""AWS services that keep what they are told: moto behind the stand-in that checks every request.

    with Moto() as aws:
        command("alarms", "apply", ...)          # with `aws: {endpoint: aws.url}`
        aws.boto("cloudwatch").describe_alarms() # boto3 judges

What moto lacks is added here: composite alarms, alarm history (an alarm's actions are carried out when its state is set, and those of the
composite alarms above it), query definitions.
"""

import datetime
import json
import re

import boto3
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault, model_of
from botocore.exceptions import ClientError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.server import ThreadedMotoServer

# moto keeps them as alarms with a rule, but has no operation for it.
CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm

OPERATIONS = {
    "sts": ["GetCallerIdentity"],
    "cloudwatch": [
        "PutMetricAlarm", "PutCompositeAlarm", "DescribeAlarms", "DeleteAlarms", "SetAlarmState", "ListTagsForResource",
        "PutDashboard", "GetDashboard", "PutMetricData",
    ],
    "sns": [
        "CreateTopic", "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "ListTagsForResource", "GetTopicAttributes",
        "Publish",
    ],
}  # fmt: skip


def snake(operation):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


class Moto(AwsFake):
    def __init__(self):
        super().__init__()
        self.moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.history, self.queries, self.deaf = [], {}, False
        for service, operations in OPERATIONS.items():
            for operation in operations:
                self.on(service, operation, self.passed_on)
        self.on("cloudwatch", "SetAlarmState", self.set_alarm_state)
        self.on("cloudwatch", "DescribeAlarmHistory", self.alarm_history)
        self.on("logs", "PutQueryDefinition", self.put_query)
        self.on("logs", "DescribeQueryDefinitions", self.describe_queries)

    def __enter__(self):
        self.moto.start()
        self.clients = {}
        return super().__enter__()

    def __exit__(self, *why):
        try:
            super().__exit__(*why)
        finally:
            self.reset()
            self.moto.stop()

    def reset(self):
        import urllib.request

        host, port = self.moto.get_host_and_port()
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).read()

    def boto(self, service, region="us-east-1"):
        if (service, region) not in self.clients:
            host, port = self.moto.get_host_and_port()
            self.clients[service, region] = boto3.client(
                service,
                endpoint_url=f"http://{host}:{port}",
                region_name=region,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
            )
        return self.clients[service, region]

    def passed_on(self, call):
        try:
            answer = getattr(self.boto(call.service, call.region), snake(call.operation))(**call.params)
        except ClientError as error:
            told = error.response
            raise Fault(told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"], told["Error"]["Message"]) from error
        known = model_of(call.service).operation_model(call.operation).output_shape
        return {k: v for k, v in answer.items() if known is not None and k in known.members}

    def alarms(self, region):
        found = self.boto("cloudwatch", region).describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {a["AlarmName"]: a for a in found["MetricAlarms"] + found["CompositeAlarms"]}

    def set_alarm_state(self, call):
        answer = self.passed_on(call)
        client = self.boto("cloudwatch", call.region)
        for name, alarm in self.alarms(call.region).items():
            if f'ALARM("{call.params["AlarmName"]}")' not in alarm.get("AlarmRule", "") or self.deaf:
                continue
            client.set_alarm_state(AlarmName=name, StateValue=call.params["StateValue"], StateReason="a child's")
            if call.params["StateValue"] == "ALARM":
                for action in alarm["AlarmActions"]:
                    self.history.append(
                        {
                            "AlarmName": name,
                            "AlarmType": "CompositeAlarm",
                            "Timestamp": datetime.datetime.now(datetime.timezone.utc),
                            "HistoryItemType": "Action",
                            "HistorySummary": f"Successfully executed action {action}",
                            "HistoryData": json.dumps({"actionState": "Succeeded", "notificationResource": action}),
                        }
                    )
        return answer

    def alarm_history(self, call):
        return {"AlarmHistoryItems": [i for i in self.history if i["AlarmName"] == call.params["AlarmName"]]}

    def put_query(self, call):
        ident = call.params.get("queryDefinitionId") or f"q-{len(self.queries)}"
        self.queries[ident] = {**call.params, "queryDefinitionId": ident}
        return {"queryDefinitionId": ident}

    def describe_queries(self, call):
        prefix = call.params.get("queryDefinitionNamePrefix", "")
        known = ("queryDefinitionId", "name", "queryString", "logGroupNames")
        return {
            "queryDefinitions": [
                {k: v for k, v in q.items() if k in known} for q in self.queries.values() if q["name"].startswith(prefix)
            ]
        }

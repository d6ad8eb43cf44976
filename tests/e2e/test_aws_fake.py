"""The stand-in for AWS services is one: boto3 takes it for AWS, and it takes nothing that AWS would not."""

import datetime
import http.client

import boto3
import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault, Raw
from botocore.config import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=5)


def client(aws, service, **more):
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **more}
    return boto3.client(service, region_name="eu-west-1", endpoint_url=aws.url, config=ONCE, **keys)


def test_json_protocol():
    with AwsFake() as aws:
        quota = {"QuotaCode": "L-1", "QuotaName": "a quota", "Value": 5.0, "Adjustable": True}
        aws.on("service-quotas", "ListServiceQuotas", {"Quotas": [quota]})
        found = client(aws, "service-quotas").list_service_quotas(ServiceCode="bedrock", MaxResults=100)
        assert found["Quotas"] == [quota]
        (call,) = aws.calls()
        assert (call.region, call.params) == ("eu-west-1", {"ServiceCode": "bedrock", "MaxResults": 100})
        assert call.action == "servicequotas:ListServiceQuotas"


def test_query_protocol():
    with AwsFake() as aws:
        aws.on("sns", "CreateTopic", lambda call: {"TopicArn": f"arn:aws:sns:{call.region}:1:{call.params['Name']}"})
        aws.on("sns", "ListSubscriptionsByTopic", {"Subscriptions": [{"Protocol": "email", "Endpoint": "a&b@example.com"}]})
        sns = client(aws, "sns")
        tags = [{"Key": "made", "Value": "by us"}, {"Key": "x", "Value": "y"}]
        made = sns.create_topic(Name="alarms", Attributes={"DisplayName": "A", "KmsMasterKeyId": "k"}, Tags=tags)
        assert made["TopicArn"] == "arn:aws:sns:eu-west-1:1:alarms"
        assert aws.calls()[0].params["Tags"] == tags
        assert aws.calls()[0].params["Attributes"] == {"DisplayName": "A", "KmsMasterKeyId": "k"}
        assert sns.list_subscriptions_by_topic(TopicArn=made["TopicArn"])["Subscriptions"][0]["Endpoint"] == "a&b@example.com"


def test_rest_protocol():
    with AwsFake() as aws:
        arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcdefghij12"
        when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        aws.on(
            "bedrock",
            "GetInferenceProfile",
            lambda call: {
                "inferenceProfileName": "mine",
                "inferenceProfileArn": call.params["inferenceProfileIdentifier"],
                "models": [{"modelArn": "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"}],
                "inferenceProfileId": "abcdefghij12",
                "status": "ACTIVE",
                "type": "APPLICATION",
                "createdAt": when,
            },
        )
        found = client(aws, "bedrock").get_inference_profile(inferenceProfileIdentifier=arn)
        assert found["inferenceProfileArn"] == arn and found["createdAt"] == when


def test_what_nobody_scripted_is_not_allowed():
    with AwsFake() as aws, pytest.raises(ClientError, match="AccessDenied.*sts:GetCallerIdentity"):
        client(aws, "sts").get_caller_identity()


def test_a_wrong_signature_is_refused():
    with AwsFake() as aws:
        aws.on("service-quotas", "ListServiceQuotas", {"Quotas": []})
        with pytest.raises(ClientError, match="InvalidSignature"):
            client(aws, "service-quotas", aws_secret_access_key="another").list_service_quotas(ServiceCode="bedrock")


def test_faults_and_bytes():
    with AwsFake() as aws:

        def throttled(call):
            raise Fault(400, "TooManyRequestsException", "slow down")

        aws.on("service-quotas", "ListServiceQuotas", throttled)
        with pytest.raises(ClientError, match="TooManyRequests"):
            client(aws, "service-quotas").list_service_quotas(ServiceCode="bedrock")
        aws.on("service-quotas", "ListServiceQuotas", Raw(b"<html>", 500))
        with pytest.raises(ClientError, match="500"):
            client(aws, "service-quotas").list_service_quotas(ServiceCode="bedrock")


@pytest.mark.parametrize(
    "answer", [{"Quota": []}, {"Quotas": [{"Value": "five"}]}, {"Quotas": [{"QuotaAppliedAtLevel": "PLANET"}]}]
)
def test_an_answer_that_aws_would_not_give_fails_the_test(answer):
    with pytest.raises(AssertionError, match="ListServiceQuotas"), AwsFake() as aws:
        aws.on("service-quotas", "ListServiceQuotas", answer)
        with pytest.raises(ClientError):
            client(aws, "service-quotas").list_service_quotas(ServiceCode="bedrock")


def test_a_request_that_aws_would_not_take_fails_the_test():
    with pytest.raises(AssertionError, match="RequestServiceQuotaIncrease"), AwsFake() as aws:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        head = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "ServiceQuotasV20190624.RequestServiceQuotaIncrease",
        }
        body = b'{"ServiceCode": "bedrock", "QuotaCode": "L-1", "Desired": 3}'
        request = AWSRequest("POST", aws.url + "/", headers=head, data=body)
        SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "servicequotas", "eu-west-1").add_auth(request)
        connection = http.client.HTTPConnection(aws.url.removeprefix("http://"), timeout=5)
        connection.request("POST", "/", body, {**dict(request.headers), "host": aws.url.removeprefix("http://")})
        assert connection.getresponse().status == 400
        connection.close()

using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Amazon.S3.Transfer;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// An S3-compatible object store. Credentials, region and endpoint come from where the AWS tools look for them
/// (<c>AWS_ACCESS_KEY_ID</c>, <c>AWS_SECRET_ACCESS_KEY</c>, <c>AWS_REGION</c>, <c>AWS_ENDPOINT_URL</c>, profiles); the location may name another endpoint.
/// </summary>
public sealed class S3Tier : ITier
{
    private const long PartBytes = 64L << 20;

    private readonly AmazonS3Client _client;
    private readonly string _bucket;
    private readonly string _prefix;

    private S3Tier(AmazonS3Client client, string bucket, string prefix)
    {
        _client = client;
        _bucket = bucket;
        _prefix = prefix;
    }

    /// <inheritdoc/>
    public string Name => $"s3://{_bucket}/{_prefix}".TrimEnd('/');

    /// <summary>Opens <c>s3://bucket/prefix[?endpoint=URL]</c>; nothing is asked of the store yet.</summary>
    public static S3Tier Open(string location)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out var uri) || uri.Scheme != "s3" || uri.Host.Length == 0)
            throw new CheckpointException($"'{location}' is not a location in an object store: s3://bucket/prefix was expected");
        string prefix = uri.AbsolutePath.Trim('/');
        // Digests of our own cover every byte; the SDK's checksum trailers are not understood by every store.
        var config = new AmazonS3Config
        {
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (uri.Query.Split("endpoint=") is [_, var endpoint])
            config.ServiceURL = Uri.UnescapeDataString(endpoint);
        try
        {
            return new S3Tier(new AmazonS3Client(config), uri.Host, prefix.Length == 0 ? "" : prefix + "/");
        }
        catch (AmazonClientException failure)
        {
            throw new CheckpointException($"{location} cannot be opened ({failure.Message})", failure);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> List() => Guard("cannot list", async () =>
    {
        var keys = new List<string>();
        var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix };
        ListObjectsV2Response response;
        do
        {
            response = await _client.ListObjectsV2Async(request).ConfigureAwait(false);
            keys.AddRange((response.S3Objects ?? []).Select(found => found.Key[_prefix.Length..]));
            request.ContinuationToken = response.NextContinuationToken;
        }
        while (response.IsTruncated == true);
        return keys;
    });

    /// <inheritdoc/>
    public void Put(string key, string file) => Guard($"cannot write {key}", async () =>
    {
        using var transfer = new TransferUtility(_client);
        await transfer.UploadAsync(new TransferUtilityUploadRequest
        {
            BucketName = _bucket,
            Key = _prefix + key,
            FilePath = file,
            PartSize = PartBytes,
        }).ConfigureAwait(false);
        return 0;
    });

    /// <inheritdoc/>
    public void Get(string key, string file) => Guard($"cannot read {key}", async () =>
    {
        using var response = await _client.GetObjectAsync(_bucket, _prefix + key).ConfigureAwait(false);
        using var output = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        await response.ResponseStream.CopyToAsync(output).ConfigureAwait(false);
        output.Flush(flushToDisk: true);
        return 0;
    });

    /// <inheritdoc/>
    public byte[]? Read(string key) => Guard($"cannot read {key}", async () =>
    {
        try
        {
            using var response = await _client.GetObjectAsync(_bucket, _prefix + key).ConfigureAwait(false);
            using var bytes = new MemoryStream();
            await response.ResponseStream.CopyToAsync(bytes).ConfigureAwait(false);
            return bytes.ToArray();
        }
        catch (AmazonS3Exception failure) when (failure.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    });

    /// <inheritdoc/>
    public void Delete(string key) => Guard($"cannot delete {key}", async () =>
    {
        await _client.DeleteObjectAsync(_bucket, _prefix + key).ConfigureAwait(false);
        return 0;
    });

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private T Guard<T>(string what, Func<Task<T>> body)
    {
        try
        {
            return body().GetAwaiter().GetResult();
        }
        catch (Exception failure) when (failure is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TaskCanceledException)
        {
            throw new CheckpointException($"{Name}: {what} ({failure.Message})", failure);
        }
    }
}

using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>An object of a bucket.</summary>
/// <param name="Key">Its key, from the bucket on.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Tag">The store's entity tag: another for other bytes.</param>
public sealed record S3Object(string Key, long Length, string Tag);

/// <summary>
/// The objects of a bucket of an S3-compatible store. Credentials, region and endpoint come from where the AWS tools look for them
/// (<c>AWS_ACCESS_KEY_ID</c>, <c>AWS_SECRET_ACCESS_KEY</c>, <c>AWS_REGION</c>, <c>AWS_ENDPOINT_URL</c>, profiles); the location may name
/// another endpoint.
/// Failures are <see cref="CheckpointException"/> with one sentence.
/// </summary>
public sealed class S3Objects : IDisposable
{
    private const string Scheme = "s3://";

    private readonly AmazonS3Client _client;
    private readonly string _bucket;

    private S3Objects(AmazonS3Client client, string bucket, string path)
    {
        _client = client;
        (_bucket, Path) = (bucket, path);
    }

    /// <summary>What the location names behind its bucket, without a leading or trailing slash.</summary>
    public string Path { get; }

    /// <summary>The location without its endpoint, for sentences.</summary>
    public string Name => NameOf(Path);

    /// <summary>Whether a text names a place in an object store, by its scheme.</summary>
    public static bool IsLocation(string text) => text.StartsWith(Scheme, StringComparison.Ordinal);

    /// <summary>Opens <c>s3://bucket/path[?endpoint=URL]</c>; nothing is asked of the store yet.</summary>
    /// <exception cref="CheckpointException">It is no such location, or there are no credentials.</exception>
    public static S3Objects Open(string location)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out var uri) || uri.Scheme != "s3" || uri.Host.Length == 0)
            throw new CheckpointException($"'{location}' is not a location in an object store: s3://bucket/prefix was expected");
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
            return new S3Objects(new AmazonS3Client(config), uri.Host, Uri.UnescapeDataString(uri.AbsolutePath).Trim('/'));
        }
        catch (AmazonClientException failure)
        {
            throw new CheckpointException($"{location} cannot be opened ({failure.Message})", failure);
        }
    }

    /// <summary>How an object is named in sentences.</summary>
    public string NameOf(string key) => $"{Scheme}{_bucket}/{key}".TrimEnd('/');

    /// <summary>The key of an object that is named so; the inverse of <see cref="NameOf"/>.</summary>
    public string KeyOf(string name) => name[(Scheme.Length + _bucket.Length + 1)..];

    /// <summary>All objects whose keys begin so.</summary>
    public IReadOnlyList<S3Object> List(string prefix) =>
        Guard(
            "cannot list",
            async () =>
            {
                var found = new List<S3Object>();
                var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = prefix };
                ListObjectsV2Response response;
                do
                {
                    response = await _client.ListObjectsV2Async(request).ConfigureAwait(false);
                    found.AddRange((response.S3Objects ?? []).Select(held => new S3Object(held.Key, held.Size ?? 0, held.ETag ?? "")));
                    request.ContinuationToken = response.NextContinuationToken;
                } while (response.IsTruncated == true);
                return found;
            }
        );

    /// <summary>Stores a file; in parts where it is large, of which those of a call that was broken off stay.</summary>
    public void Put(string key, string file) =>
        Guard($"cannot write {key}", () => new S3Upload(_client, _bucket, key, file).RunAsync());

    /// <summary>Bytes of an object; null: there is none.</summary>
    public long? SizeOf(string key) =>
        Guard<long?>(
            $"cannot read {key}",
            async () =>
            {
                try
                {
                    return (await _client.GetObjectMetadataAsync(_bucket, key).ConfigureAwait(false)).ContentLength;
                }
                catch (AmazonS3Exception failure) when (failure.StatusCode == HttpStatusCode.NotFound)
                {
                    return null;
                }
            }
        );

    /// <summary>Gives up uploads in parts that were not finished.</summary>
    /// <param name="prefix">How their keys begin.</param>
    /// <param name="keys">Those of them that are given up.</param>
    public void AbandonUploads(string prefix, Func<string, bool> keys) =>
        Guard("cannot list uploads", () => S3Upload.AbandonAsync(_client, _bucket, prefix, keys));

    /// <summary>Fetches an object to a new file and syncs it.</summary>
    public void Get(string key, string file) =>
        Guard(
            $"cannot read {key}",
            async () =>
            {
                using var response = await _client.GetObjectAsync(_bucket, key).ConfigureAwait(false);
                using var output = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
                await response.ResponseStream.CopyToAsync(output).ConfigureAwait(false);
                output.Flush(flushToDisk: true);
                return 0;
            }
        );

    /// <summary>An object's bytes as they come; what fails while they are read is an exception of the stream.</summary>
    public Stream OpenRead(string key) =>
        Guard($"cannot read {key}", async () => (await _client.GetObjectAsync(_bucket, key).ConfigureAwait(false)).ResponseStream);

    /// <summary>A small object's bytes, or null where there is none.</summary>
    public byte[]? Read(string key) =>
        Guard(
            $"cannot read {key}",
            async () =>
            {
                try
                {
                    using var response = await _client.GetObjectAsync(_bucket, key).ConfigureAwait(false);
                    using var bytes = new MemoryStream();
                    await response.ResponseStream.CopyToAsync(bytes).ConfigureAwait(false);
                    return bytes.ToArray();
                }
                catch (AmazonS3Exception failure) when (failure.StatusCode == HttpStatusCode.NotFound)
                {
                    return null;
                }
            }
        );

    /// <summary>Deletes an object; it may be gone already.</summary>
    public void Delete(string key) =>
        Guard(
            $"cannot delete {key}",
            async () =>
            {
                await _client.DeleteObjectAsync(_bucket, key).ConfigureAwait(false);
                return 0;
            }
        );

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private T Guard<T>(string what, Func<Task<T>> body)
    {
        try
        {
            return body().GetAwaiter().GetResult();
        }
        catch (Exception failure)
            when (failure is AmazonServiceException
                    or AmazonClientException
                    or HttpRequestException
                    or IOException
                    or UnauthorizedAccessException
                    or TaskCanceledException
            )
        {
            throw new CheckpointException($"{Name}: {what} ({failure.Message})", failure);
        }
    }
}

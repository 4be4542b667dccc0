using System.Collections.Concurrent;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Stores one file in an object store: whole where it is small, else in parts, several at a time. Parts of an upload that was broken off
/// are compared with the file by size and digest, and only those that differ or are missing are sent.
/// </summary>
internal sealed class S3Upload(AmazonS3Client client, string bucket, string key, string file)
{
    private const long SmallestPartBytes = 16L << 20;

    /// <summary>The protocol has no more parts.</summary>
    private const int MostParts = 10_000;

    private const int Streams = 8;

    private readonly long _length = new FileInfo(file).Length;

    private long PartBytes => Math.Max(SmallestPartBytes, (_length + MostParts - 1) / MostParts);

    /// <summary>Stores it.</summary>
    /// <returns>How many parts were sent.</returns>
    public async Task<int> RunAsync()
    {
        if (_length <= SmallestPartBytes)
        {
            await client
                .PutObjectAsync(
                    new PutObjectRequest
                    {
                        BucketName = bucket,
                        Key = key,
                        FilePath = file,
                    }
                )
                .ConfigureAwait(false);
            return 1;
        }
        string upload = await BegunBeforeAsync().ConfigureAwait(false) ?? await BeginAsync().ConfigureAwait(false);
        var known = await PartsOfAsync(upload).ConfigureAwait(false);
        var stored = new ConcurrentBag<PartETag>();
        int sent = 0;
        await Parallel
            .ForEachAsync(
                Enumerable.Range(1, (int)((_length + PartBytes - 1) / PartBytes)),
                new ParallelOptions { MaxDegreeOfParallelism = Streams },
                async (number, _) =>
                {
                    if (known.TryGetValue(number, out var part) && IsThatOfTheFile(number, part))
                    {
                        stored.Add(new PartETag(number, part.ETag));
                        return;
                    }
                    stored.Add(new PartETag(number, await SendAsync(upload, number).ConfigureAwait(false)));
                    Interlocked.Increment(ref sent);
                }
            )
            .ConfigureAwait(false);
        await client
            .CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest
                {
                    BucketName = bucket,
                    Key = key,
                    UploadId = upload,
                    PartETags = [.. stored.OrderBy(part => part.PartNumber)],
                }
            )
            .ConfigureAwait(false);
        return sent;
    }

    /// <summary>Gives up uploads that were not finished.</summary>
    /// <returns>How many.</returns>
    public static async Task<int> AbandonAsync(AmazonS3Client client, string bucket, string prefix, Func<string, bool> keys)
    {
        var left = (await UnfinishedAsync(client, bucket, prefix).ConfigureAwait(false)).Where(upload => keys(upload.Key)).ToArray();
        foreach (var upload in left)
            await client.AbortMultipartUploadAsync(bucket, upload.Key, upload.UploadId).ConfigureAwait(false);
        return left.Length;
    }

    private static async Task<List<MultipartUpload>> UnfinishedAsync(AmazonS3Client client, string bucket, string prefix)
    {
        var uploads = new List<MultipartUpload>();
        var request = new ListMultipartUploadsRequest { BucketName = bucket, Prefix = prefix };
        ListMultipartUploadsResponse page;
        do
        {
            page = await client.ListMultipartUploadsAsync(request).ConfigureAwait(false);
            uploads.AddRange(page.MultipartUploads ?? []);
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        } while (page.IsTruncated == true);
        return uploads;
    }

    private async Task<string?> BegunBeforeAsync() =>
        (await UnfinishedAsync(client, bucket, key).ConfigureAwait(false)).Find(upload => upload.Key == key)?.UploadId;

    private async Task<string> BeginAsync() =>
        (await client.InitiateMultipartUploadAsync(bucket, key).ConfigureAwait(false)).UploadId;

    private async Task<Dictionary<int, PartDetail>> PartsOfAsync(string upload)
    {
        var parts = new Dictionary<int, PartDetail>();
        var request = new ListPartsRequest
        {
            BucketName = bucket,
            Key = key,
            UploadId = upload,
        };
        ListPartsResponse page;
        do
        {
            page = await client.ListPartsAsync(request).ConfigureAwait(false);
            foreach (var part in page.Parts ?? [])
                if (part.PartNumber is { } number)
                    parts[number] = part;
            request.PartNumberMarker = page.NextPartNumberMarker?.ToString(System.Globalization.CultureInfo.InvariantCulture);
        } while (page.IsTruncated == true);
        return parts;
    }

    private (long Start, long Bytes) PlaceOf(int number)
    {
        long start = (number - 1) * PartBytes;
        return (start, Math.Min(PartBytes, _length - start));
    }

    // The tag of a part is its MD5; where a store encrypts, it is something else, and the part is sent again.
    private bool IsThatOfTheFile(int number, PartDetail part)
    {
        var (start, bytes) = PlaceOf(number);
        return part.Size == bytes && string.Equals(part.ETag?.Trim('"'), DigestOf(start, bytes), StringComparison.OrdinalIgnoreCase);
    }

    // What the protocol compares is MD5; nothing rests on its strength.
#pragma warning disable CA5351
    private string DigestOf(long start, long bytes)
    {
        using var handle = File.OpenHandle(file);
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        byte[] block = new byte[1 << 20];
        for (long done = 0; done < bytes;)
        {
            int count = RandomAccess.Read(handle, block.AsSpan(0, (int)Math.Min(block.Length, bytes - done)), start + done);
            if (count == 0)
                break;
            digest.AppendData(block, 0, count);
            done += count;
        }
        return Convert.ToHexString(digest.GetHashAndReset());
    }
#pragma warning restore CA5351

    private async Task<string> SendAsync(string upload, int number)
    {
        var (start, bytes) = PlaceOf(number);
        var response = await client
            .UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = bucket,
                    Key = key,
                    UploadId = upload,
                    PartNumber = number,
                    FilePath = file,
                    FilePosition = start,
                    PartSize = bytes,
                }
            )
            .ConfigureAwait(false);
        return response.ETag;
    }
}

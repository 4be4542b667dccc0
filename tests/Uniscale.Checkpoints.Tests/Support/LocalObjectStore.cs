using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security;
using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Checkpoints.Tests.Support;

/// <summary>The part of the S3 protocol that a tier uses, served from memory on a free local port. Signatures are not checked.</summary>
internal sealed class LocalObjectStore : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, (string Path, SortedDictionary<int, byte[]> Parts)> _uploads = new();
    private readonly Task _serving;

    public LocalObjectStore()
    {
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Endpoint = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }
        _listener.Prefixes.Add(Endpoint + "/");
        _listener.Start();
        _serving = Task.Run(ServeAsync);
    }

    public string Endpoint { get; }

    /// <summary>Objects by <c>/bucket/key</c>.</summary>
    public ConcurrentDictionary<string, byte[]> Objects { get; } = new();

    /// <summary>Uploads that came in several parts.</summary>
    public int MultipartCount { get; private set; }

    /// <summary>Parts that came.</summary>
    public int PartCount { get; private set; }

    /// <summary>Parts that are taken; the next ones are answered with an error.</summary>
    public int PartsUntilBroken { get; set; } = int.MaxValue;

    /// <summary>Uploads in parts that are not finished.</summary>
    public int UnfinishedCount => _uploads.Count;

    /// <summary>Answers every request with an error.</summary>
    public bool Broken { get; set; }

    public void Dispose()
    {
        // A request that its client has given up may never be read to its end: what serves it is not waited for without a limit.
        _listener.Abort();
        _serving.ContinueWith(_ => { }, TaskScheduler.Default).Wait(Patience);
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            var (status, answer) = Broken
                ? (403, Error("AccessDenied"))
                : Answer(context.Request, Decode(context.Request, body.ToArray()), context.Response);
            context.Response.StatusCode = status;
            context.Response.ContentLength64 = answer.Length;
            if (context.Request.HttpMethod != "HEAD")
                await context.Response.OutputStream.WriteAsync(answer);
            context.Response.Close();
        }
    }

    private (int Status, byte[] Body) Answer(HttpListenerRequest request, byte[] body, HttpListenerResponse response)
    {
        string path = Uri.UnescapeDataString(request.Url!.AbsolutePath);
        var query = request.QueryString;
        switch (request.HttpMethod)
        {
            case "POST" when request.Url.Query.StartsWith("?uploads", StringComparison.Ordinal):
                string id = Guid.NewGuid().ToString("n");
                _uploads[id] = (path, []);
                return (200, Xml($"<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"));
            case "POST":
                MultipartCount++;
                _uploads.TryRemove(query["uploadId"]!, out var finished);
                Objects[path] = [.. finished.Parts.Values.SelectMany(part => part)];
                return (200, Xml("<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"));
            case "PUT" when query["partNumber"] is not null && PartCount >= PartsUntilBroken:
                return (403, Error("AccessDenied"));
            case "PUT" when query["partNumber"] is { } number:
                PartCount++;
                _uploads[query["uploadId"]!].Parts[int.Parse(number)] = body;
                response.Headers["ETag"] = Tag(body);
                return (200, []);
            case "PUT":
                Objects[path] = body;
                response.Headers["ETag"] = Tag(body);
                return (200, []);
            case "DELETE" when query["uploadId"] is { } abandoned:
                _uploads.TryRemove(abandoned, out _);
                return (204, []);
            case "GET" when request.Url.Query.StartsWith("?uploads", StringComparison.Ordinal):
                return (200, ListUploads(path.TrimEnd('/') + "/", query["prefix"] ?? ""));
            case "GET" when query["uploadId"] is { } listed:
                return (200, ListParts(_uploads[listed].Parts));
            case "DELETE":
                Objects.TryRemove(path, out _);
                return (204, []);
            case "GET" when query["list-type"] == "2":
                return (200, List(path.TrimEnd('/') + "/", query["prefix"] ?? ""));
            default:
                if (!Objects.TryGetValue(path, out byte[]? found))
                    return (404, Error("NoSuchKey"));
                response.Headers["ETag"] = Tag(found);
                return (200, found);
        }
    }

    // Bodies come in signed chunks: length in hexadecimal, ";chunk-signature=…", a line end, the bytes, a line end.
    private static byte[] Decode(HttpListenerRequest request, byte[] body)
    {
        if (request.Headers["x-amz-content-sha256"]?.StartsWith("STREAMING-", StringComparison.Ordinal) != true)
            return body;
        using var decoded = new MemoryStream();
        for (int position = 0; position < body.Length;)
        {
            int end = position + body.AsSpan(position).IndexOf((byte)'\n');
            int length = Convert.ToInt32(Encoding.ASCII.GetString(body, position, end - position).Split(';')[0].Trim(), 16);
            if (length == 0)
                break;
            decoded.Write(body, end + 1, length);
            position = end + 1 + length + 2;
        }
        return decoded.ToArray();
    }

    private byte[] List(string bucket, string prefix)
    {
        var found = Objects.Keys.Where(path => path.StartsWith(bucket + prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var contents = found.Select(path =>
            $"<Contents><Key>{SecurityElement.Escape(path[bucket.Length..])}</Key><Size>{Objects[path].Length}</Size><ETag>{Tag(Objects[path])}</ETag></Contents>"
        );
        return Xml($"<ListBucketResult><IsTruncated>false</IsTruncated>{string.Concat(contents)}</ListBucketResult>");
    }

    private byte[] ListUploads(string bucket, string prefix)
    {
        var found = _uploads
            .Where(upload => upload.Value.Path.StartsWith(bucket + prefix, StringComparison.Ordinal))
            .Select(upload =>
                $"<Upload><Key>{SecurityElement.Escape(upload.Value.Path[bucket.Length..])}</Key><UploadId>{upload.Key}</UploadId></Upload>"
            );
        return Xml($"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{string.Concat(found)}</ListMultipartUploadsResult>");
    }

    private static byte[] ListParts(SortedDictionary<int, byte[]> parts) =>
        Xml(
            $"<ListPartsResult><IsTruncated>false</IsTruncated>{string.Concat(parts.Select(part =>
                $"<Part><PartNumber>{part.Key}</PartNumber><ETag>{SecurityElement.Escape(Tag(part.Value))}</ETag><Size>{part.Value.Length}</Size></Part>"
            ))}</ListPartsResult>"
        );

    // The protocol's entity tag of an object is its MD5, and clients check it.
#pragma warning disable CA5351
    private static string Tag(byte[] body) => $"\"{Convert.ToHexStringLower(MD5.HashData(body))}\"";
#pragma warning restore CA5351

    private static byte[] Error(string code) => Xml($"<Error><Code>{code}</Code><Message>{code}</Message></Error>");

    private static byte[] Xml(string text) => Encoding.UTF8.GetBytes("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + text);
}

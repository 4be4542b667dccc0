using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>An HTTP/1.x response as a crawler stored it (RFC 9112): status, headers, a body that may be chunked and compressed.</summary>
internal sealed class HttpResponse
{
    private readonly Dictionary<string, string> _headers;
    private readonly ReadOnlyMemory<byte> _body;

    private HttpResponse(int status, Dictionary<string, string> headers, ReadOnlyMemory<byte> body) =>
        (Status, _headers, _body) = (status, headers, body);

    public int Status { get; }

    /// <summary>True for HTML by its type; where none is given, by the beginning of the body.</summary>
    public bool IsHtml
    {
        get
        {
            string type = _headers.GetValueOrDefault("Content-Type", "");
            if (type.Length == 0)
                return Texts.MarkupReader.Is(Body() ?? [], "");
            return type.StartsWith("text/html", StringComparison.OrdinalIgnoreCase)
                || type.StartsWith("application/xhtml", StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>The encoding that the header declares.</summary>
    public string? Charset
    {
        get
        {
            string type = _headers.GetValueOrDefault("Content-Type", "");
            int at = type.IndexOf("charset=", StringComparison.OrdinalIgnoreCase);
            return at < 0 ? null : type[(at + 8)..].Split(';')[0].Trim(' ', '"', '\'');
        }
    }

    /// <summary>Reads a response; null where the bytes are none.</summary>
    public static HttpResponse? Parse(ReadOnlyMemory<byte> block)
    {
        var bytes = block.Span;
        int end = bytes.IndexOf("\r\n\r\n"u8),
            gap = 4;
        if (end < 0)
            (end, gap) = (bytes.IndexOf("\n\n"u8), 2);
        if (end < 0 || !bytes.StartsWith("HTTP/"u8))
            return null;
        string[] lines = Encoding.Latin1.GetString(bytes[..end]).Split('\n', StringSplitOptions.TrimEntries);
        string[] first = lines[0].Split(' ', 3);
        if (first.Length < 2 || !int.TryParse(first[1], NumberStyles.None, CultureInfo.InvariantCulture, out int status))
            return null;
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string line in lines.Skip(1))
            if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
                headers[line[..colon].Trim()] = line[(colon + 1)..].Trim();
        return new HttpResponse(status, headers, block[(end + gap)..]);
    }

    /// <summary>
    /// The body with chunks joined and decompressed; null where it is damaged. Crawlers may have done either before they stored it: then it
    /// is taken as it is.
    /// </summary>
    public byte[]? Body()
    {
        byte[] body = _body.ToArray();
        if (Has("Transfer-Encoding", "chunked") && Joined(body) is { } joined)
            body = joined;
        try
        {
            if (Has("Content-Encoding", "gzip") && Decompression.GzipStream.IsMagic(body))
                return Inflated(new Decompression.GzipStream(new Decompression.PeekStream(new MemoryStream(body))));
            if (Has("Content-Encoding", "br"))
                return Inflated(new BrotliStream(new MemoryStream(body), CompressionMode.Decompress));
            if (Has("Content-Encoding", "deflate"))
                return Inflated(new ZLibStream(new MemoryStream(body), CompressionMode.Decompress));
            return body;
        }
        catch (Exception error) when (error is InvalidDataException or InvalidOperationException)
        {
            return body.AsSpan().TrimStart(" \t\r\n"u8).StartsWith("<"u8) ? body : null;
        }
    }

    private bool Has(string header, string value) =>
        _headers.GetValueOrDefault(header, "").Contains(value, StringComparison.OrdinalIgnoreCase);

    private static byte[] Inflated(Stream stream)
    {
        using var opened = stream;
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = opened.Read(buffer)) > 0;)
        {
            bytes.Write(buffer.AsSpan(0, read));
            if (bytes.Length > DocumentReader.MaxLineBytes)
                throw new InvalidDataException("the body is longer than a document may be");
        }
        return bytes.ToArray();
    }

    /// <summary>The chunks joined; null where there are none, as when the crawler joined them.</summary>
    private static byte[]? Joined(ReadOnlySpan<byte> body)
    {
        var joined = new MemoryStream();
        while (true)
        {
            int line = body.IndexOf("\r\n"u8);
            if (line is < 1 or > 64)
                return null;
            var size = body[..line];
            int semicolon = size.IndexOf((byte)';');
            if (
                !int.TryParse(
                    Encoding.Latin1.GetString(semicolon < 0 ? size : size[..semicolon]).Trim(),
                    NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture,
                    out int length
                )
                || length < 0
            )
                return null;
            body = body[(line + 2)..];
            if (length == 0)
                return joined.ToArray();
            if (length + 2 > body.Length)
            {
                joined.Write(body[..Math.Min(length, body.Length)]); // a crawler's limit cut the page
                return joined.ToArray();
            }
            joined.Write(body[..length]);
            body = body[(length + 2)..];
        }
    }
}

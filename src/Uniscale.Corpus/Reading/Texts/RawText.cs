using System.Text;
using System.Text.RegularExpressions;
using System.Text.Unicode;

namespace Uniscale.Corpus.Reading.Texts;

/// <summary>
/// Bytes of a text to characters: UTF-8, what a byte order mark or the text itself declares, what its bytes show; nothing is guessed at
/// without evidence.
/// </summary>
internal static partial class RawText
{
    private const int DeclaredWithin = 2048;

    /// <summary>Of all languages that UTF.Unknown knows, it names the right one nearly always from here on.</summary>
    private const double Confident = 0.8;

    static RawText() => Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);

    /// <summary>The text as UTF-8, in the same memory where it is that; null where its encoding is unknown.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="isRepaired">It was not UTF-8.</param>
    public static ReadOnlyMemory<byte>? ToUtf8(ReadOnlyMemory<byte> bytes, out bool isRepaired)
    {
        var text = bytes.Span.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
        isRepaired = !Utf8.IsValid(text.Span);
        if (!isRepaired)
            return text;
        string? decoded = Decode(bytes.Span, out _);
        return decoded is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(decoded);
    }

    /// <summary>The text; null where its encoding is unknown.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="isRepaired">It was not UTF-8.</param>
    /// <param name="declared">The encoding that stands beside the text, as in the header of HTTP.</param>
    public static string? Decode(ReadOnlySpan<byte> bytes, out bool isRepaired, string? declared = null)
    {
        isRepaired = false;
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        isRepaired = true;
        foreach ((byte[] mark, var encoding) in Marked)
            if (bytes.StartsWith(mark))
                return Strict(encoding, bytes[mark.Length..]);
        if ((declared is null ? null : Named(declared)) is { } beside && Strict(beside, bytes) is { } text)
            return text;
        if (Declared(bytes) is { } within)
            return Strict(within, bytes);
        if (LooksWestern(bytes))
            return Strict(Encoding.GetEncoding(1252), bytes);
        var detected = UtfUnknown.CharsetDetector.DetectFromBytes(bytes[..Math.Min(bytes.Length, 1 << 20)].ToArray()).Detected;
        return detected is { Confidence: >= (float)Confident, Encoding: { } found } ? Strict(found, bytes) : null;
    }

    /// <summary>True for UTF-16 and UTF-32, whose zero bytes are text.</summary>
    public static bool HasMark(ReadOnlySpan<byte> bytes)
    {
        foreach ((byte[] mark, _) in Marked)
            if (bytes.StartsWith(mark))
                return true;
        return false;
    }

    private static readonly (byte[] Mark, Encoding Encoding)[] Marked =
    [
        ([0xFF, 0xFE, 0, 0], Encoding.UTF32),
        ([0xFF, 0xFE], Encoding.Unicode),
        ([0xFE, 0xFF], Encoding.BigEndianUnicode),
    ];

    private static string? Strict(Encoding encoding, ReadOnlySpan<byte> bytes)
    {
        try
        {
            string text = Encoding
                .GetEncoding(encoding.CodePage, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback)
                .GetString(bytes);
            // Controls show a wrong encoding.
            return text.AsSpan().IndexOfAnyInRange('\u0080', '\u009F') < 0 || encoding.CodePage == 1252 ? text : null;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>
    /// What HTML, XML, or a comment as editors read it says; the web's supersets of the names that are commonly written for them.
    /// </summary>
    private static Encoding? Declared(ReadOnlySpan<byte> bytes)
    {
        var match = Declaration().Match(Encoding.Latin1.GetString(bytes[..Math.Min(bytes.Length, DeclaredWithin)]));
        return match.Success ? Named(match.Groups[1].Value) : null;
    }

    private static Encoding? Named(string name)
    {
        name = name.ToLowerInvariant();
        try
        {
            return name switch
            {
                "gb2312" or "gbk" or "gb_2312-80" or "x-gbk" => Encoding.GetEncoding(54936),
                "iso-8859-1" or "latin-1" or "latin1" or "us-ascii" or "ascii" => Encoding.GetEncoding(1252),
                "sjis" or "shift-jis" or "x-sjis" => Encoding.GetEncoding(932),
                "utf-16" or "utf-8" or "utf8" => Encoding.UTF8,
                _ => Encoding.GetEncoding(name),
            };
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Nearly all ASCII, with single letters outside: in other scripts they stand in rows.</summary>
    private static bool LooksWestern(ReadOnlySpan<byte> bytes)
    {
        long outside = 0;
        int row = 0;
        foreach (byte b in bytes)
        {
            row = b >= 0x80 ? row + 1 : 0;
            outside += b >= 0x80 ? 1 : 0;
            if (row > 2)
                return false;
        }
        return outside * 100 <= bytes.Length;
    }

    [GeneratedRegex("""(?:charset|coding|encoding)\s*[:=]\s*["']?\s*([A-Za-z0-9_.:-]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex Declaration();
}

using System.Text;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Texts;

/// <summary>
/// A file that is one text: plain text, Markdown, source code. One that is too long for a document becomes several, each of which ends with
/// a line.
/// </summary>
internal class PlainTextReader : IFormReader
{
    /// <summary>Any text of so many characters fits a line of a store, however many of them are escaped.</summary>
    public const int MostCharacters = DocumentReader.MaxLineBytes / 7;

    public virtual string Form => "text";

    public virtual IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        if (WhyNoText(input.Head) is { } reason)
        {
            yield return RawDocument.Left("", reason);
            yield break;
        }
        var stream = input.Stream;
        for (int number = 0; ; number++)
        {
            var held = Held(stream);
            bool isLast = held.Length < MostCharacters;
            if (number > 0 && held.IsEmpty)
                yield break;
            byte[] part = held[..(isLast ? held.Length : Cut(held.Span))].ToArray();
            stream.Skip(part.Length);
            if (number == 0 && !isLast)
                context.CutFiles++;
            yield return new RawDocument(number == 0 && isLast ? "" : $"#{number + 1}", part.Length, () => Plain(part));
            if (isLast)
                yield break;
        }
    }

    /// <summary>Why a file is not looked at as text, by its first bytes.</summary>
    protected static string? WhyNoText(ReadOnlySpan<byte> head) =>
        head.IsEmpty ? "empty"
        : head.Contains((byte)0) && !RawText.HasMark(head) ? "not text, by its bytes"
        : null;

    protected static Extracted Decoded(byte[] bytes, Func<string, string> extract)
    {
        if (RawText.Decode(bytes, out bool isRepaired) is not { } text)
            return Extracted.Left("text of unknown encoding");
        text = extract(text);
        return string.IsNullOrWhiteSpace(text) ? Extracted.Left("no text") : Extracted.Of(text, isRepaired: isRepaired);
    }

    private static Extracted Plain(byte[] bytes) =>
        RawText.ToUtf8(bytes, out bool isRepaired) is not { } text ? Extracted.Left("text of unknown encoding")
        : Utf8Text.IsBlank(text.Span) ? Extracted.Left("no text")
        : new Extracted(text, IsRepaired: isRepaired);

    private static ReadOnlyMemory<byte> Held(PeekStream stream)
    {
        for (int size = RawInput.HeadBytes; ; size = Math.Min(2 * size, MostCharacters))
        {
            var held = stream.Peek(size);
            if (held.Length < size || size == MostCharacters)
                return held;
        }
    }

    private static int Cut(ReadOnlySpan<byte> text)
    {
        int line = text[(text.Length / 2)..].LastIndexOf((byte)'\n');
        if (line >= 0)
            return (text.Length / 2) + line + 1;
        int cut = text.Length;
        while (cut > text.Length - 4 && (text[cut - 1] & 0xC0) == 0x80)
            cut--; // the end of a character
        return (text[cut - 1] & 0xC0) == 0xC0 ? cut - 1 : text.Length;
    }
}

/// <summary>HTML, XHTML and documentation XML.</summary>
internal sealed class MarkupReader : PlainTextReader
{
    private static readonly HashSet<string> Extensions = [".html", ".htm", ".xhtml", ".xhp", ".page", ".docbook", ".dbk", ".xml"];

    public override string Form => "html";

    /// <summary>True for markup by its name, or where the file begins as HTML does.</summary>
    public static bool Is(ReadOnlySpan<byte> head, string extension)
    {
        if (Extensions.Contains(extension))
            return true;
        if (extension.Length > 0 && extension is not (".aspx" or ".php" or ".jsp" or ".txt"))
            return false; // source code that holds HTML is code
        string start = Encoding.ASCII.GetString(
            head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8)[..Math.Min(32, head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8).Length)]
        );
        return start.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase);
    }

    public override IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        if (WhyNoText(input.Head) is { } reason)
        {
            yield return RawDocument.Left("", reason);
            yield break;
        }
        byte[] bytes = WholeFile.Read(input.Stream, "markup");
        yield return new RawDocument("", bytes.Length, () => Decoded(bytes, MarkupText.Extract));
    }
}

/// <summary>Manual pages: roff with the man or mdoc macros.</summary>
internal sealed class ManualReader : PlainTextReader
{
    public override string Form => "man";

    /// <summary>True for a page by its name (printf.3) and its macros.</summary>
    public static bool Is(ReadOnlySpan<byte> head, string extension) =>
        extension.Length == 2
        && char.IsAsciiDigit(extension[1])
        && ManualText.IsManual(Encoding.Latin1.GetString(head[..Math.Min(head.Length, 4000)]));

    public override IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        byte[] bytes = WholeFile.Read(input.Stream, "a manual page");
        yield return new RawDocument(
            "",
            bytes.Length,
            () => Decoded(bytes, text => ManualText.IsManual(text) ? ManualText.Extract(text) : text)
        );
    }
}

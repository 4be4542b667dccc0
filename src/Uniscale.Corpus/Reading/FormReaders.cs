using Uniscale.Corpus.Reading.Archives;
using Uniscale.Corpus.Reading.Encyclopedias;
using Uniscale.Corpus.Reading.Json;
using Uniscale.Corpus.Reading.Papers;
using Uniscale.Corpus.Reading.Tables;
using Uniscale.Corpus.Reading.Texts;
using Uniscale.Corpus.Reading.Web;

namespace Uniscale.Corpus.Reading;

/// <summary>All forms, and which of them a file has: by its content first, by its name where the content leaves it open.</summary>
public static class FormReaders
{
    /// <summary>Stands for the form that names and content tell.</summary>
    public const string Auto = "auto";

    internal const string NoTextByName = "not text, by its name";

    private static readonly HashSet<string> Binary = new(StringComparer.OrdinalIgnoreCase)
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".svg",
        ".ico",
        ".webp",
        ".pdf",
        ".ps",
        ".eps",
        ".epub",
        ".woff",
        ".woff2",
        ".ttf",
        ".otf",
        ".css",
        ".map",
        ".so",
        ".o",
        ".a",
        ".pyc",
        ".mo",
        ".dat",
        ".bin",
        ".exe",
        ".jar",
        ".class",
        ".mp3",
        ".mp4",
        ".ogg",
        ".wav",
        ".index",
    };

    private static readonly Dictionary<string, IFormReader> Named = new()
    {
        ["wet"] = new WetReader(),
        ["warc"] = new WarcReader(),
        ["wiki"] = new WikiDumpReader(),
        ["wikiextractor"] = new WikiExtractorReader(),
        ["json"] = new JsonObjectsReader(),
        ["parquet"] = new ParquetReader(),
        ["arrow"] = new ArrowReader(),
        ["stackexchange"] = new StackExchangeReader(),
        ["arxiv"] = new ArxivReader(),
        ["notebook"] = new NotebookReader(),
        ["html"] = new MarkupReader(),
        ["man"] = new ManualReader(),
        ["text"] = new PlainTextReader(),
    };

    private static readonly JsonLinesReader JsonLines = new();
    private static readonly ArchiveReader Tar = new("tar"),
        Zip = new("zip"),
        SevenZip = new("7z");

    /// <summary>The forms that a user may name.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Named.Keys];

    /// <summary>True for files that are not looked at, by their names: pictures, programs.</summary>
    internal static bool IsNoText(string name) => Binary.Contains(Path.GetExtension(Decompression.Decompressor.PlainName(name)));

    /// <summary>The reader of an input.</summary>
    /// <param name="input">The input.</param>
    /// <param name="options">What the user says of its form; archives are opened whatever he says.</param>
    internal static IFormReader For(RawInput input, ReadingOptions options)
    {
        var head = input.Head;
        string form = options.Form;
        if (form == "arxiv" && ArchiveReader.IsTar(head))
            return Named[form];
        if (ArchiveOf(head, input) is { } archive)
            return archive;
        if (form == "json")
            return head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8).StartsWith("["u8) ? Named[form] : JsonLines;
        return form == Auto ? ByContent(head, input, options) : Named[form];
    }

    private static IFormReader? ArchiveOf(ReadOnlySpan<byte> head, RawInput input)
    {
        if (ArchiveReader.IsZip(head))
            return Zip;
        if (ArchiveReader.IsSevenZip(head))
            return SevenZip;
        return ArchiveReader.IsTar(head) && !ArxivReader.Is(head, input.Name) ? Tar : null;
    }

    private static IFormReader ByContent(ReadOnlySpan<byte> head, RawInput input, ReadingOptions options)
    {
        string extension = input.Extension;
        string form =
            ParquetReader.Is(head) || extension == ".parquet" ? "parquet"
            : ArrowReader.Is(head) || extension is ".arrow" or ".feather" ? "arrow"
            : WetReader.Is(head) ? "wet"
            : WarcRecords.IsMagic(head) ? "warc"
            : WikiDumpReader.Is(head) ? "wiki"
            : StackExchangeReader.Is(head) ? "stackexchange"
            : WikiExtractorReader.Is(head) ? "wikiextractor"
            : JsonSniffer.IsNotebook(head, extension) ? "notebook"
            : ArxivReader.Is(head, input.Name) ? "arxiv"
            : MarkupReader.Is(head, extension) ? "html"
            : ManualReader.Is(head, extension) ? "man"
            : "text";
        if (form != "text")
            return Named[form];
        return JsonSniffer.AreLines(head, extension, options) ? JsonLines : Named[JsonSniffer.AreObjects(head, options) ? "json" : form];
    }
}

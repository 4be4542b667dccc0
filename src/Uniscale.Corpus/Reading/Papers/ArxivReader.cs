using System.Formats.Tar;
using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Corpus.Reading.Decompression;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Reading.Papers;

/// <summary>
/// Sources of papers as arXiv has them: ID.gz, which is one LaTeX file or a tar of them, and tars of many such. A paper is a document.
/// </summary>
internal sealed partial class ArxivReader : IFormReader
{
    private static readonly HashSet<string> Sources = [".tex", ".ltx", ".txt", ".bbl", ""];

    public string Form => "arxiv";

    /// <summary>True for a paper by its name (2101.00001v2, hep-th9901001) and what is in it: a tar, or LaTeX.</summary>
    public static bool Is(ReadOnlySpan<byte> head, string name)
    {
        string plain = Path.GetFileName(name);
        plain =
            plain.EndsWith(".tar", StringComparison.OrdinalIgnoreCase) || plain.EndsWith(".tex", StringComparison.OrdinalIgnoreCase)
                ? plain[..^4]
                : plain;
        return PaperName().IsMatch(plain) && (Archives.ArchiveReader.IsTar(head) || IsLatex(head));
    }

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        if (!Archives.ArchiveReader.IsTar(input.Head))
        {
            byte[] bytes = WholeFile.Read(input.Stream, "LaTeX");
            yield return new RawDocument(
                "",
                bytes.Length,
                () => Extract(new Dictionary<string, byte[]> { ["main.tex"] = bytes }, input.Name, context)
            );
            yield break;
        }
        var sources = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        long held = 0;
        var blocks = new Archives.TarBlocks(input.Stream);
        using var tar = new TarReader(blocks, leaveOpen: true);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is null || entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                continue;
            if (
                !Sources.Contains(Path.GetExtension(entry.Name).ToLowerInvariant())
                && !Path.GetExtension(entry.Name).Equals(".gz", StringComparison.OrdinalIgnoreCase)
            )
                continue;
            if (entry.Name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            {
                foreach (var paper in Inner(entry, input, context))
                    yield return paper;
                continue;
            }
            held += entry.Length;
            if (held > DocumentReader.MaxLineBytes)
                throw new InvalidDataException($"its sources have more than {DocumentReader.MaxLineBytes >> 20} MiB");
            byte[] bytes = new byte[entry.Length];
            entry.DataStream.ReadExactly(bytes);
            sources[entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name] = bytes;
        }
        blocks.CheckEnd();
        if (sources.Count > 0)
            yield return new RawDocument("", held, () => Extract(sources, input.Name, context));
    }

    /// <summary>A paper within a tar of many: one that is damaged is left out alone.</summary>
    private static IEnumerable<RawDocument> Inner(TarEntry entry, RawInput outer, ReadingContext context)
    {
        var stream = new PeekStream(entry.DataStream!);
        byte[] bytes = WholeFile.Read(stream, "sources of a paper");
        foreach (
            var document in Archives.EntryReader.Read(
                () => RawInput.Of(new MemoryStream(bytes), $"{outer.Path}/{entry.Name}", entry.Name),
                entry.Name,
                context
            )
        )
            yield return document;
    }

    private static Extracted Extract(Dictionary<string, byte[]> sources, string name, ReadingContext context)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        bool isRepaired = false;
        foreach ((string file, byte[] bytes) in sources)
        {
            if (RawText.Decode(bytes, out bool decoded) is not { } text)
                continue;
            texts[file] = text;
            isRepaired |= decoded;
        }
        string? paper = Latex.Extract(texts);
        string id = Path.GetFileName(name);
        return string.IsNullOrWhiteSpace(paper)
            ? Extracted.Left("papers without LaTeX")
            : Extracted.Of(
                paper,
                context.Keeps(FieldNames.Id) && PaperName().IsMatch(id) ? new DocumentFields(id) : null,
                isRepaired: isRepaired
            );
    }

    private static bool IsLatex(ReadOnlySpan<byte> head)
    {
        string text = Encoding.Latin1.GetString(head);
        return Latex.IsMain(text)
            || text.Contains("\\begin{document}", StringComparison.Ordinal)
            || text.Contains("\\input", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?\d{7})(?:v\d+)?$")]
    private static partial Regex PaperName();
}

using System.Text.Unicode;
using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>What an import would make of a file.</summary>
/// <param name="Path">The file.</param>
/// <param name="Form">What it is taken for.</param>
/// <param name="First">The beginnings of its first documents.</param>
/// <param name="Documents">Documents among those looked at.</param>
/// <param name="IsWhole">All of the file was looked at.</param>
/// <param name="LeftOut">What is left out of those looked at, by reason.</param>
/// <param name="Damage">Why the file would be left out; null where it would not.</param>
public sealed record ImportPreview(
    string Path,
    string Form,
    IReadOnlyList<string> First,
    long Documents,
    bool IsWhole,
    IReadOnlyDictionary<string, long> LeftOut,
    string? Damage
)
{
    private const int Shown = 3,
        ShownCharacters = 100;

    internal static ImportPreview Of(RawFile file, ReadingContext context, int mostDocuments)
    {
        var first = new List<string>();
        var left = new SortedDictionary<string, long>(StringComparer.Ordinal);
        long looked = 0,
            documents = 0;
        string? damage = null;
        bool isWhole = true;
        try
        {
            using var input = LocalFile.Stream(file);
            foreach (var raw in context.Read(input))
            {
                isWhole = ++looked <= mostDocuments;
                if (!isWhole)
                    break;
                var extracted = raw.Extract();
                documents += extracted.Text is null ? 0 : 1;
                if (extracted.Text is not { } text)
                    left[extracted.Reason!] = left.GetValueOrDefault(extracted.Reason!) + 1;
                else if (first.Count < Shown)
                    first.Add(Beginning(text.Span));
            }
        }
        catch (Exception error) when (error is not (OperationCanceledException or RawStoreException))
        {
            damage = Sentence.Of(error);
        }
        return new ImportPreview(
            file.Path,
            context.Recognised.Length > 0 ? context.Recognised : "unknown",
            first,
            documents,
            isWhole,
            left,
            damage
        );
    }

    private static string Beginning(ReadOnlySpan<byte> text)
    {
        Span<char> beginning = stackalloc char[4 * ShownCharacters];
        Utf8.ToUtf16(text, beginning, out _, out int length);
        string line = string.Join(' ', beginning[..length].ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length > ShownCharacters
            ? line[..(char.IsHighSurrogate(line[ShownCharacters - 1]) ? ShownCharacters - 1 : ShownCharacters)] + "..."
            : line;
    }
}

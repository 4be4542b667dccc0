using System.Text;
using System.Text.Json;

namespace Uniscale.Corpus.Reading.Json;

/// <summary>
/// A notebook of Jupyter (nbformat 3 and 4): the words and the code of its cells in their order; what the code gave out, pictures above
/// all, is left out.
/// </summary>
internal sealed class NotebookReader : IFormReader
{
    public string Form => "notebook";

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        byte[] json = WholeFile.Read(input.Stream, Form);
        yield return new RawDocument("", json.Length, () => Extract(json));
    }

    private static Extracted Extract(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json.AsMemory(json.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0));
            var root = document.RootElement;
            string? language = LanguageOf(root);
            var text = new StringBuilder();
            foreach (var cell in Cells(root))
            {
                string source = SourceOf(cell).TrimEnd();
                if (source.Length == 0)
                    continue;
                bool isCode = cell.TryGetProperty("cell_type", out var type) && type.ValueEquals("code");
                text.Append(text.Length > 0 ? "\n\n" : "").Append(isCode ? $"```{language}\n{source}\n```" : source);
            }
            return text.Length > 0 ? Extracted.Of(text.ToString()) : Extracted.Left("notebooks without text");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return Extracted.Left("notebooks that are no JSON");
        }
    }

    private static IEnumerable<JsonElement> Cells(JsonElement root)
    {
        if (root.TryGetProperty("cells", out var cells) && cells.ValueKind == JsonValueKind.Array)
            return cells.EnumerateArray();
        return root.TryGetProperty("worksheets", out var sheets) && sheets.ValueKind == JsonValueKind.Array
            ? sheets
                .EnumerateArray()
                .Where(sheet => sheet.TryGetProperty("cells", out var held) && held.ValueKind == JsonValueKind.Array)
                .SelectMany(sheet => sheet.GetProperty("cells").EnumerateArray())
            : [];
    }

    private static string SourceOf(JsonElement cell)
    {
        if (
            cell.ValueKind != JsonValueKind.Object
            || !(cell.TryGetProperty("source", out var source) || cell.TryGetProperty("input", out source))
        )
            return "";
        return source.ValueKind switch
        {
            JsonValueKind.String => source.GetString()!,
            JsonValueKind.Array => string.Concat(
                source.EnumerateArray().Where(line => line.ValueKind == JsonValueKind.String).Select(line => line.GetString())
            ),
            _ => "",
        };
    }

    private static string? LanguageOf(JsonElement root)
    {
        foreach (string place in (string[])["language_info", "kernelspec"])
        {
            if (
                root.TryGetProperty("metadata", out var metadata)
                && metadata.ValueKind == JsonValueKind.Object
                && metadata.TryGetProperty(place, out var info)
                && info.ValueKind == JsonValueKind.Object
                && info.TryGetProperty(place == "kernelspec" ? "language" : "name", out var name)
                && name.ValueKind == JsonValueKind.String
            )
            {
                return name.GetString();
            }
        }
        return null;
    }
}

using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A question of an exam with what was answered.</summary>
/// <param name="Scores">What it scores, in words.</param>
/// <param name="IsRight">Its first score is 1.</param>
public sealed record SampleView(
    string Id,
    string Subject,
    string Question,
    string Target,
    string Chosen,
    string Response,
    string Scores,
    bool IsRight
);

/// <summary>Reads a page of a file <c>samples_TASK_DATE.jsonl</c>.</summary>
internal static class SampleFile
{
    private const int LongestLine = 1 << 20,
        LongestText = 1_500,
        PageSize = 50;

    private const long MostBytes = 256 << 20;

    /// <summary>The samples of a page, and how many pages there are; of those alone that were answered wrongly, where asked for.</summary>
    public static (IReadOnlyList<SampleView> Samples, int Pages) Read(RunsFolder door, string run, string file, int page, bool onlyWrong)
    {
        var samples = new List<SampleView>();
        int count = 0;
        try
        {
            using var stream = door.Open(run, file);
            if (stream is not null)
                new LineScanner(LongestLine).Read(
                    stream,
                    line =>
                    {
                        if (Parse(line) is not { } sample || (onlyWrong && sample.IsRight))
                            return;
                        if (count++ / PageSize == page - 1)
                            samples.Add(sample);
                    },
                    MostBytes
                );
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            // What was read until then counts.
        }
        return (samples, (count + PageSize - 1) / PageSize);
    }

    private static SampleView? Parse(ReadOnlySpan<byte> line)
    {
        string[] own = ["doc_id", "id", "subject", "question", "target", "chosen", "resps"];
        try
        {
            var reader = new Utf8JsonReader(line);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return null;
            var scores = root.EnumerateObject()
                .Where(field => !own.Contains(field.Name) && field.Value.ValueKind == JsonValueKind.Number)
                .ToList();
            var texts = root.Items("resps").Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!);
            return new SampleView(
                root.Text("id") ?? root.Text("doc_id") ?? "",
                root.Text("subject") ?? "",
                Cut(root.Text("question") ?? ""),
                Cut(root.Text("target") ?? ""),
                Cut(root.Text("chosen") ?? ""),
                Cut(string.Join("\n", texts)),
                string.Join(", ", scores.Where(score => score.Name != "shortest").Select(score => $"{score.Name} {score.Value}")),
                scores.Count > 0 && scores[0].Value.TryGetDouble(out double first) && first >= 1
            );
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string Cut(string text) => text.Length <= LongestText ? text : text[..LongestText] + " …";
}

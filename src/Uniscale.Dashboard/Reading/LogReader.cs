using System.Text;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>Lines of a log.</summary>
/// <param name="Lines">The latest that were asked for, in their order.</param>
/// <param name="IsCut">There are more before.</param>
public sealed record LogPageText(IReadOnlyList<string> Lines, bool IsCut);

/// <summary>Reads the logs of a run from their ends.</summary>
internal static class LogReader
{
    private const int MostLines = 1_000,
        LongestLine = 64 << 10;

    private const long TailBytes = 4 << 20,
        SearchedBytes = 256 << 20;

    /// <summary>Logs of a run: of its ranks, and what a sweep's process said.</summary>
    public static IReadOnlyList<string> Files(RunsFolder door, string run) =>
        [
            .. door.Files(Path.Combine(run, "logs"), "*.log").Select(name => $"logs/{name}"),
            .. door.Files(run, "*.log"),
            .. door.Files(run, "failure.txt"),
        ];

    /// <summary>The latest lines, of those that hold some words.</summary>
    /// <returns>Null: the file cannot be read.</returns>
    public static LogPageText? Read(RunsFolder door, string run, string file, string words)
    {
        try
        {
            using var stream = door.Open(run, file);
            if (stream is null)
                return null;
            long from = Math.Max(0, stream.Length - (words.Length > 0 ? SearchedBytes : TailBytes));
            var (lines, isCut, isFirst) = (new Queue<string>(), from > 0, from > 0);
            new LineScanner(LongestLine, from).Read(
                stream,
                line =>
                {
                    if (isFirst)
                    {
                        isFirst = false;
                        return;
                    }
                    string text = Printable(Encoding.UTF8.GetString(line));
                    if (words.Length > 0 && !text.Contains(words, StringComparison.OrdinalIgnoreCase))
                        return;
                    if (lines.Count == MostLines)
                    {
                        lines.Dequeue();
                        isCut = true;
                    }
                    lines.Enqueue(text);
                }
            );
            return new LogPageText([.. lines], isCut);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            return null;
        }
    }

    /// <summary>Control characters would be no valid page.</summary>
    private static string Printable(string text) =>
        text.AsSpan().ContainsAnyInRange('\0', '\u001f')
            ? string.Concat(text.Select(letter => letter is < ' ' and not '\t' ? '\u00b7' : letter))
            : text;
}

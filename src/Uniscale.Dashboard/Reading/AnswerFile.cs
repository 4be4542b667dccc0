using System.Globalization;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>An answer that a run has written down, of the prompts that its configuration names.</summary>
/// <param name="Number">Number of the prompt.</param>
/// <param name="Reward">What it is rewarded with; NaN: it is not told.</param>
/// <param name="Score">Score of the reward model; NaN: there is none.</param>
public sealed record AnswerView(
    long Step,
    string Domain,
    long Number,
    string Prompt,
    string Reference,
    string Answer,
    bool HasEnded,
    double Reward,
    double Score
)
{
    /// <summary>The answer with what is known of it.</summary>
    public string Shown
    {
        get
        {
            string answer = Answer.Length > 0 ? Answer : "(nothing)";
            string reward = double.IsFinite(Reward) ? string.Create(CultureInfo.InvariantCulture, $" [{Reward:0.###}]") : "";
            string score = double.IsFinite(Score) ? string.Create(CultureInfo.InvariantCulture, $" (score {Score:0.###})") : "";
            return answer + reward + score + (HasEnded ? "" : " …");
        }
    }
}

/// <summary>Reads the files alignment/answers-STEP.jsonl of a run (docs/reference/rollouts.md).</summary>
internal static class AnswerFile
{
    private const string Folder = "alignment",
        Prefix = "answers-",
        Suffix = ".jsonl";

    private const int LongestLine = 256 << 10,
        MostAnswers = 1_000,
        LongestText = 4_000;

    private const long MostBytes = 64 << 20;

    /// <summary>Steps that there are answers of, ascending.</summary>
    public static IReadOnlyList<long> Steps(RunsFolder door, string run) =>
        [
            .. door
                .Files(Path.Combine(run, Folder), Prefix + "*" + Suffix)
                .Select(name => name[Prefix.Length..^Suffix.Length])
                .Where(name => name.All(char.IsAsciiDigit) && name.Length is > 0 and < 19)
                .Select(name => long.Parse(name, CultureInfo.InvariantCulture))
                .Order(),
        ];

    /// <summary>The answers of some steps, in the order of their files.</summary>
    public static IReadOnlyList<AnswerView> Answers(RunsFolder door, string run, IReadOnlyCollection<long> steps)
    {
        var answers = new List<AnswerView>();
        foreach (long step in steps)
            Read(door, run, step, answers);
        return answers;
    }

    private static void Read(RunsFolder door, string run, long step, List<AnswerView> answers)
    {
        int most = answers.Count + MostAnswers;
        try
        {
            using var stream = door.Open(run, string.Create(CultureInfo.InvariantCulture, $"{Folder}/{Prefix}{step:D8}{Suffix}"));
            if (stream is null)
                return;
            new LineScanner(LongestLine).Read(
                stream,
                line =>
                {
                    if (answers.Count < most && Parse(line, step) is { } answer)
                        answers.Add(answer);
                },
                MostBytes
            );
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            // What was read until then counts.
        }
    }

    private static AnswerView? Parse(ReadOnlySpan<byte> line, long step)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            double number = root.Number("number");
            return new AnswerView(
                step,
                root.Text("domain") ?? "",
                double.IsFinite(number) ? (long)number : 0,
                Cut(root.Text("prompt") ?? Messages(root)),
                Cut(root.Text("reference") ?? ""),
                Cut(root.Text("answer") ?? ""),
                root.Text("ended") == bool.TrueString,
                root.Number("reward"),
                root.Number("score")
            );
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Half written, or no record.
            return null;
        }
    }

    private static string Cut(string text) => text.Length <= LongestText ? text : text[..LongestText] + " …";

    /// <summary>A prompt of several messages.</summary>
    private static string Messages(JsonElement answer) =>
        string.Join('\n', answer.Items("prompt").Select(message => $"{message.Text("role")}: {message.Text("content")}"));
}

using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>
/// GAOKAO-Bench's objective questions: <c>Data/Objective_Questions/NAME.json</c> of keywords and examples with question, answer (a list of
/// letters or sets of
/// letters) and score. The options are part of the questions' text; a record may hold several questions, each of which has the record's
/// score.
/// </summary>
internal static class GaokaoFiles
{
    public static Exam Read(string folder)
    {
        foreach (string below in (string[])["Data", "Objective_Questions"])
            if (Directory.Exists(Path.Combine(folder, below)))
                folder = Path.Combine(folder, below);
        var subjects = Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal).Select(Subject).ToList();
        return subjects.Count > 0
            ? new Exam("gaokao", subjects)
            : throw new UserErrorException($"{folder} has no files NAME.json, which hold the questions of gaokao.");
    }

    private static Subject Subject(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(TextFile.All(path));
            var root = document.RootElement;
            string name =
                root.TryGetProperty("keywords", out var keyword) && keyword.ValueKind == JsonValueKind.String
                    ? keyword.GetString()!
                    : Path.GetFileNameWithoutExtension(path);
            var records = root.GetProperty("example")
                .EnumerateArray()
                .Select(
                    (record, i) =>
                        (
                            Id: $"{name}/{i}",
                            Text: record.GetProperty("question").GetString() ?? "",
                            Answers: Answers(record, $"{path}, record {i + 1}"),
                            Score: ScoreOf(record, $"{path}, record {i + 1}")
                        )
                )
                .ToList();
            var rule = RuleOf(name, records.Any(record => record.Answers.Length > 1));
            return new Subject(
                name,
                name.Replace('_', ' '),
                "",
                [],
                [
                    .. records.Select(record => new Question(record.Id, record.Text, [], [])
                    {
                        Solutions = record.Answers,
                        Rule = rule,
                        Points = record.Score * record.Answers.Length,
                    }),
                ]
            );
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException(
                $"{path} holds no questions of gaokao: a JSON object with \"example\", a list of objects with question, answer and score, is expected.",
                failure
            );
        }
    }

    private static AnswerRule RuleOf(string name, bool several) =>
        name.Contains("Physics", StringComparison.OrdinalIgnoreCase) ? AnswerRule.LetterSet
        : name.Contains("Cloze_Test", StringComparison.OrdinalIgnoreCase) ? AnswerRule.FiveOfSeven
        : several ? AnswerRule.LetterList
        : AnswerRule.LastLetter;

    private static string[] Answers(JsonElement record, string place)
    {
        string[] answers = [.. record.GetProperty("answer").EnumerateArray().Select(answer => answer.GetString() ?? "")];
        return answers.Length > 0 && answers.All(answer => answer.Length > 0 && answer.All(c => c is >= 'A' and <= 'G'))
            ? answers
            : throw new UserErrorException($"{place}: the answer [{string.Join(", ", answers)}] is no list of letters A to G.");
    }

    private static double ScoreOf(JsonElement record, string place) =>
        record.TryGetProperty("score", out var score)
            ? score.ValueKind switch
            {
                JsonValueKind.Number => score.GetDouble(),
                JsonValueKind.String when Quantity.TryParseNumber(score.GetString()!, out double number) => number,
                JsonValueKind.String => throw new UserErrorException($"{place}: the score '{score.GetString()}' is no number."),
                _ => 1,
            }
            : 1;
}

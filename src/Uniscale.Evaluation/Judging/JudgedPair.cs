using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Judging;

/// <summary>Two answers to a question.</summary>
/// <param name="Id">Names the question.</param>
/// <param name="Question">The question.</param>
/// <param name="A">The answer of the one model.</param>
/// <param name="B">The answer of the other.</param>
public sealed record JudgedPair(string Id, string Question, string A, string B)
{
    /// <summary>
    /// The questions that both files answer, in the order of the first: samples of <c>evaluate</c> (id, question, resps), or JSON lines of
    /// id, question and answer.
    /// </summary>
    /// <exception cref="UserErrorException">A line is none of these, or the files have no question in common.</exception>
    public static IReadOnlyList<JudgedPair> Read(string one, string other)
    {
        var (left, right) = (Answers(one), Answers(other).ToDictionary(answer => answer.Id));
        List<JudgedPair> pairs =
        [
            .. left.Where(answer => right.ContainsKey(answer.Id))
                .Select(answer => new JudgedPair(answer.Id, answer.Question, answer.Text, right[answer.Id].Text)),
        ];
        return pairs.Count > 0 ? pairs : throw new UserErrorException($"{one} and {other} have no question in common (\"id\").");
    }

    private static List<(string Id, string Question, string Text)> Answers(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"There is no file of answers {path}.");
        var answers = new List<(string Id, string Question, string Text)>();
        int number = 0;
        foreach (string line in TextFile.Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using var document = JsonDocument.Parse(line);
                var record = document.RootElement;
                var text = record.TryGetProperty("answer", out var answer) ? answer : record.GetProperty("resps")[0];
                answers.Add((Text(record.GetProperty("id")), Text(record.GetProperty("question")), Text(text)));
            }
            catch (Exception failure)
                when (failure is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
            {
                throw new UserErrorException(
                    $"{path}, line {number} is no answer: a JSON object with id, question, and answer or resps (texts) is expected.",
                    failure
                );
            }
        }
        return answers.GroupBy(answer => answer.Id).FirstOrDefault(group => group.Count() > 1) is { } twice
            ? throw new UserErrorException($"{path} answers the question '{twice.Key}' twice.")
            : answers;
    }

    private static string Text(JsonElement value) => value.GetString() ?? throw new JsonException("There is no text.");
}

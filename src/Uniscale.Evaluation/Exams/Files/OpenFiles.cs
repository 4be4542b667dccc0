using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>Questions that are answered in words, numbers or formulas.</summary>
internal static class OpenFiles
{
    private const int Shots = 8;

    /// <summary>
    /// TriviaQA: <c>{unfiltered-web,wikipedia,web}-dev.json</c> with "Data", a list of Question, QuestionId and Answer (Value, Aliases);
    /// the first of train are its shots.
    /// </summary>
    public static Exam TriviaQa(string folder, string? split)
    {
        string[] kinds = ["unfiltered-web", "wikipedia", "web"];
        IEnumerable<string> Names(string part) =>
            kinds.SelectMany(kind =>
                (string[])[$"{kind}-{part}.json", $"qa/{kind}-{part}.json", $"triviaqa-unfiltered/{kind}-{part}.json"]
            );
        string path = QuestionFiles.Find(folder, "triviaqa", Names(split ?? "dev"));
        return One("triviaqa", QuestionFiles.FindOrNull(folder, Names("train")) is { } train ? Trivia(train) : [], Trivia(path));
    }

    /// <summary>
    /// Natural Questions, open: <c>NQ-open.dev.jsonl</c> of question and answer (a list); the first of train are its shots.
    /// </summary>
    public static Exam NaturalQuestions(string folder, string? split)
    {
        const string expected = "a JSON object with question and answer, a list of texts";
        Question Read(JsonElement record, int number) =>
            new($"nq/{number}", QuestionFiles.Text(record, "question"), [], [])
            {
                Solutions = QuestionFiles.Texts(record.GetProperty("answer")),
            };
        string path = QuestionFiles.Find(folder, "nq", $"NQ-open.{split ?? "dev"}.jsonl");
        var shots = QuestionFiles.FindOrNull(folder, "NQ-open.train.jsonl") is { } train ? QuestionFiles.Lines(train, expected, Read) : [];
        return One("nq", shots, QuestionFiles.Lines(path, expected, Read));
    }

    /// <summary>
    /// GSM8K: <c>test.jsonl</c> of question and answer, whose last number is the solution; the first of train are its shots.
    /// </summary>
    public static Exam Gsm8k(string folder, string? split)
    {
        const string expected = "a JSON object with question and answer";
        static Question Read(JsonElement record, int number) =>
            new($"gsm8k/{number}", QuestionFiles.Text(record, "question"), [], []) { Solutions = [QuestionFiles.Text(record, "answer")] };
        string path = QuestionFiles.Find(folder, "gsm8k", $"{split ?? "test"}.jsonl");
        var shots = QuestionFiles.FindOrNull(folder, "train.jsonl") is { } train ? QuestionFiles.Lines(train, expected, Read) : [];
        return One("gsm8k", shots, QuestionFiles.Lines(path, expected, Read));
    }

    /// <summary>
    /// MATH: <c>test/SUBJECT/N.json</c> of problem, level, type and solution, whose boxed formula is the answer; the first of the subject
    /// in train are its shots.
    /// </summary>
    public static Exam Mathematics(string folder, string? split)
    {
        string tests = QuestionFiles.Find(folder, "math", split ?? "test");
        var subjects = Directory
            .EnumerateDirectories(tests)
            .Order(StringComparer.Ordinal)
            .Select(path =>
            {
                string name = Path.GetFileName(path),
                    train = Path.Combine(folder, "train", name);
                return new Subject(
                    name,
                    name.Replace('_', ' '),
                    "",
                    Directory.Exists(train) ? [.. Problems(train, name).Take(Shots)] : [],
                    [.. Problems(path, name)]
                );
            })
            .Where(subject => subject.Questions.Count > 0)
            .ToList();
        return subjects.Count > 0
            ? new Exam("math", subjects)
            : throw new UserErrorException($"{tests} has no folders of files N.json, which hold the problems of math.");
    }

    private static List<Question> Trivia(string path) =>
        QuestionFiles.Whole(
            path,
            "a JSON object with Data, a list of objects with Question and Answer",
            root =>
                root.GetProperty("Data")
                    .EnumerateArray()
                    .Select(
                        (record, i) =>
                        {
                            var answer = record.GetProperty("Answer");
                            return new Question($"triviaqa/{i}", QuestionFiles.Text(record, "Question"), [], [])
                            {
                                Solutions =
                                [
                                    .. QuestionFiles
                                        .Texts(answer.GetProperty("Value"))
                                        .Concat(answer.TryGetProperty("Aliases", out var aliases) ? QuestionFiles.Texts(aliases) : [])
                                        .Distinct(),
                                ],
                            };
                        }
                    )
                    .ToList()
        );

    private static IEnumerable<Question> Problems(string folder, string subject) =>
        Directory
            .EnumerateFiles(folder, "*.json")
            .OrderBy(path => Path.GetFileName(path).Length)
            .ThenBy(path => path, StringComparer.Ordinal)
            .Select(path =>
                QuestionFiles.Whole(
                    path,
                    "a JSON object with problem and solution",
                    record => new Question(
                        $"{subject}/{Path.GetFileNameWithoutExtension(path)}",
                        QuestionFiles.Text(record, "problem"),
                        [],
                        []
                    )
                    {
                        Solutions = [MathAnswers.Extract(QuestionFiles.Text(record, "solution"))],
                        Shown = QuestionFiles.Text(record, "solution"),
                    }
                )
            );

    private static Exam One(string name, List<Question> shots, List<Question> questions) =>
        questions.Count > 0
            ? new Exam(name, [new Subject(name, name, "", [.. shots.Take(Shots)], questions)])
            : throw new UserErrorException($"The file of {name} has no questions.");
}

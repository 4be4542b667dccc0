using System.Text.Json;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>Programs to be written, with the tests that they are to pass.</summary>
internal static class CodeFiles
{
    private const int FirstAsked = 11,
        LastAsked = 510;

    /// <summary>HumanEval: <c>HumanEval.jsonl</c> (or .gz) of task_id, prompt, test and entry_point.</summary>
    public static Exam HumanEval(string folder, string? _)
    {
        string path = QuestionFiles.Find(folder, "humaneval", "HumanEval.jsonl", "HumanEval.jsonl.gz", "data/HumanEval.jsonl.gz");
        return new Exam(
            "humaneval",
            [
                new Subject(
                    "humaneval",
                    "humaneval",
                    "",
                    [],
                    QuestionFiles.Lines(
                        path,
                        "a JSON object with task_id, prompt, test and entry_point",
                        (record, _) =>
                        {
                            string prompt = QuestionFiles.Text(record, "prompt");
                            return new Question(QuestionFiles.Text(record, "task_id"), prompt, [], [])
                            {
                                Tested = new CodeTest(
                                    prompt,
                                    $"{QuestionFiles.Text(record, "test")}\ncheck({QuestionFiles.Text(record, "entry_point")})"
                                ),
                            };
                        }
                    )
                ),
            ]
        );
    }

    /// <summary>
    /// MBPP: <c>mbpp.jsonl</c> of task_id, text, code, test_setup_code and test_list; tasks 11 to 510 are asked, 2, 3 and 4 are the shots
    /// (Austin et al., 2021).
    /// </summary>
    public static Exam Mbpp(string folder, string? _)
    {
        string path = QuestionFiles.Find(folder, "mbpp", "mbpp.jsonl", "data/mbpp.jsonl");
        var all = QuestionFiles.Lines(path, "a JSON object with task_id, text, code and test_list", (record, _) => Task(record));
        int IdOf(Question question) => int.Parse(question.Id, System.Globalization.CultureInfo.InvariantCulture);
        return new Exam(
            "mbpp",
            [
                new Subject(
                    "mbpp",
                    "mbpp",
                    "",
                    [.. all.Where(question => IdOf(question) is >= 2 and <= 4)],
                    [.. all.Where(question => IdOf(question) is >= FirstAsked and <= LastAsked)]
                ),
            ]
        );
    }

    private static Question Task(JsonElement record)
    {
        string[] tests = QuestionFiles.Texts(record.GetProperty("test_list"));
        string setup = record.TryGetProperty("test_setup_code", out var code) ? code.GetString() ?? "" : "";
        return new Question(
            record.GetProperty("task_id").GetRawText(),
            $"Write a Python function: {QuestionFiles.Text(record, "text")} Your code should pass these tests:\n{string.Join('\n', tests)}\n[BEGIN]\n",
            [],
            []
        )
        {
            Shown = QuestionFiles.Text(record, "code").Replace("\r\n", "\n", StringComparison.Ordinal),
            Tested = new CodeTest("", $"{setup}\n{string.Join('\n', tests)}"),
        };
    }
}

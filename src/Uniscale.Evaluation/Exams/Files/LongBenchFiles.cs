using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>
/// LongBench (Bai et al., 2024): <c>data/NAME.jsonl</c> of input, context, answers and all_classes. A subject is a file; its metric and the
/// tokens of its answers are those of the benchmark, the sentences of its prompt are ours.
/// </summary>
internal static class LongBenchFiles
{
    private static readonly Dictionary<string, Kind> Kinds = new(StringComparer.Ordinal)
    {
        ["narrativeqa"] = new(AnswerRule.F1, 128, "Single document"),
        ["qasper"] = new(AnswerRule.F1, 128, "Single document"),
        ["multifieldqa_en"] = new(AnswerRule.F1, 64, "Single document"),
        ["multifieldqa_zh"] = new(AnswerRule.F1, 64, "Single document"),
        ["hotpotqa"] = new(AnswerRule.F1, 32, "Several documents"),
        ["2wikimqa"] = new(AnswerRule.F1, 32, "Several documents"),
        ["musique"] = new(AnswerRule.F1, 32, "Several documents"),
        ["dureader"] = new(AnswerRule.Rouge, 128, "Several documents"),
        ["gov_report"] = new(AnswerRule.Rouge, 512, "Summaries"),
        ["qmsum"] = new(AnswerRule.Rouge, 512, "Summaries"),
        ["multi_news"] = new(AnswerRule.Rouge, 512, "Summaries"),
        ["vcsum"] = new(AnswerRule.Rouge, 512, "Summaries"),
        ["trec"] = new(AnswerRule.Class, 64, "Examples", FirstLine: true),
        ["triviaqa"] = new(AnswerRule.F1, 32, "Examples", FirstLine: true),
        ["samsum"] = new(AnswerRule.Rouge, 128, "Examples", FirstLine: true),
        ["lsht"] = new(AnswerRule.Class, 64, "Examples", FirstLine: true),
        ["passage_count"] = new(AnswerRule.NumberShare, 32, "Synthetic"),
        ["passage_retrieval_en"] = new(AnswerRule.NumberShare, 32, "Synthetic"),
        ["passage_retrieval_zh"] = new(AnswerRule.NumberShare, 32, "Synthetic"),
        ["lcc"] = new(AnswerRule.CodeSimilarity, 64, "Code"),
        ["repobench-p"] = new(AnswerRule.CodeSimilarity, 64, "Code"),
    };

    public static Exam Read(string folder, string? _)
    {
        string data = QuestionFiles.FindOrNull(folder, "data") ?? folder;
        var subjects = Directory
            .EnumerateFiles(data, "*.jsonl")
            .Order(StringComparer.Ordinal)
            .Select(path => (Path: path, Name: System.IO.Path.GetFileNameWithoutExtension(path)))
            // NAME_e has other lengths of the same kind.
            .Select(file => (file.Path, file.Name, Kind: Kinds.GetValueOrDefault(file.Name) ?? Kinds.GetValueOrDefault(Even(file.Name))))
            .Where(file => file.Kind is not null)
            .Select(file => new Subject(file.Name, file.Name, file.Kind!.Group, [], Questions(file.Path, file.Name, file.Kind)))
            .ToList();
        return subjects.Count > 0
            ? new Exam("longbench", subjects)
            : throw new UserErrorException(
                $"{data} has no file of longbench: NAME.jsonl is expected, with a name such as hotpotqa, gov_report, trec or lcc."
            );
    }

    private static string Even(string name) => name.EndsWith("_e", StringComparison.Ordinal) ? name[..^2] : name;

    private static List<Question> Questions(string path, string name, Kind kind) =>
        QuestionFiles.Lines(
            path,
            "a JSON object with input, context and answers",
            (record, number) =>
                new Question($"{name}/{number}", Prompt(kind, Even(name), record), [], [])
                {
                    Solutions = QuestionFiles.Texts(record.GetProperty("answers")),
                    Classes =
                        record.TryGetProperty("all_classes", out var classes) && classes.ValueKind == JsonValueKind.Array
                            ? QuestionFiles.Texts(classes)
                            : [],
                    Rule = kind.Rule,
                    AnswerTokens = kind.Tokens,
                    TakesFirstLine = kind.FirstLine,
                }
        );

    private static string Prompt(Kind kind, string name, JsonElement record)
    {
        string context = QuestionFiles.Text(record, "context"),
            input = QuestionFiles.Text(record, "input");
        bool isChinese = name is "multifieldqa_zh" or "dureader" or "vcsum" or "lsht" or "passage_retrieval_zh";
        return (kind.Group, isChinese) switch
        {
            ("Code", _) => $"{context}{input}",
            ("Examples", _) => $"{context}\n{input}",
            ("Summaries", false) => $"Summarise the text.\n\n{context}\n\n{(input.Length > 0 ? $"Question: {input}\n" : "")}Summary:",
            ("Summaries", true) => $"请总结下面的内容。\n\n{context}\n\n总结：",
            ("Synthetic", false) =>
                $"{context}\n\n{(input.Length > 0 ? $"Which paragraph is this from? {input}\nParagraph" : "How many different paragraphs are there?\nNumber:")}",
            ("Synthetic", true) => $"{context}\n\n下面的内容出自哪一段？{input}\n段落",
            (_, true) => $"根据下面的文章回答问题。\n\n{context}\n\n问题：{input}\n回答：",
            _ => $"Answer the question from the text, in few words.\n\n{context}\n\nQuestion: {input}\nAnswer:",
        };
    }

    /// <summary>How a file is asked and scored.</summary>
    private sealed record Kind(AnswerRule Rule, int Tokens, string Group, bool FirstLine = false);
}

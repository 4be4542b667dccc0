using System.Text.Json;
using System.Text.RegularExpressions;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>
/// AGIEval v1: <c>NAME.jsonl</c> of passage, question, options, label, answer. Options carry their letters already, "(A)…", which are taken
/// off; a label is
/// a letter, a list of letters, or a stray text such as "A B D" that no single letter can match. Files without options (cloze) are not
/// read.
/// </summary>
internal static partial class AgievalFiles
{
    public static Exam Read(string folder)
    {
        string versioned = Path.Combine(folder, "data", "v1");
        if (Directory.Exists(versioned))
            folder = versioned;
        var subjects = Directory
            .EnumerateFiles(folder, "*.jsonl")
            .Order(StringComparer.Ordinal)
            .Select(path =>
            {
                string name = Path.GetFileNameWithoutExtension(path);
                return new Subject(
                    name,
                    name,
                    name.StartsWith("gaokao", StringComparison.Ordinal) ? "gaokao" : "",
                    [],
                    Questions(path, name)
                );
            })
            .Where(subject => subject.Questions.Count > 0)
            .ToList();
        return subjects.Count > 0
            ? new Exam("agieval", subjects)
            : throw new UserErrorException($"{folder} has no files NAME.jsonl with options, which hold the questions of agieval.");
    }

    /// <summary>Whether a file's prompts are Chinese.</summary>
    public static bool IsChinese(string name) =>
        name is "logiqa-zh"
        || name.StartsWith("jec-qa", StringComparison.Ordinal)
        || (name.StartsWith("gaokao", StringComparison.Ordinal) && name != "gaokao-english");

    private static List<Question> Questions(string path, string name)
    {
        var questions = new List<Question>();
        int number = 0;
        foreach (string line in TextFile.Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            string place = $"{path}, line {number}";
            try
            {
                using var document = JsonDocument.Parse(line);
                var record = document.RootElement;
                if (!record.TryGetProperty("options", out var options) || options.ValueKind != JsonValueKind.Array)
                    continue;
                string[] texts = [.. options.EnumerateArray().Select(option => Letter().Replace(option.GetString() ?? "", ""))];
                if (texts.Length is 0 or > 26)
                    throw new UserErrorException($"{place}: there are {texts.Length} options.");
                string passage =
                    record.TryGetProperty("passage", out var before) && before.ValueKind == JsonValueKind.String ? before.GetString()! : "";
                questions.Add(
                    new Question(
                        $"{name}/{number - 1}",
                        record.GetProperty("question").GetString() ?? "",
                        texts,
                        Answers(record, texts.Length, place)
                    )
                    {
                        Passage = passage,
                    }
                );
            }
            catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new UserErrorException(
                    $"{place} is no question of agieval: a JSON object with question, options and label is expected.",
                    failure
                );
            }
        }
        return questions;
    }

    private static int[] Answers(JsonElement record, int options, string place)
    {
        if (!record.TryGetProperty("label", out var label))
            throw new UserErrorException($"{place}: the question has options but no label.");
        return label.ValueKind switch
        {
            JsonValueKind.Array =>
            [
                .. label.EnumerateArray().Select(letter => ExamFiles.OptionOf(letter.GetString() ?? "", options, place)),
            ],
            JsonValueKind.String when label.GetString()!.Trim().Length == 1 => [ExamFiles.OptionOf(label.GetString()!, options, place)],
            JsonValueKind.String => [],
            _ => throw new UserErrorException($"{place}: the question has options but no label."),
        };
    }

    [GeneratedRegex(@"^\s*[(（][A-Z][)）]\s*")]
    private static partial Regex Letter();
}

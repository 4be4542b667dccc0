using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsvHelper;
using CsvHelper.Configuration;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>Reads the questions of a task of one's own.</summary>
internal sealed partial class TaskQuestions(TaskFile task)
{
    private const int LettersInAlphabet = 26;

    /// <summary>The questions with their subjects, in the order of the file.</summary>
    public List<(string Subject, Question Question)> Read(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"The file of questions {path} does not exist.");
        var records = Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".csv" => Csv(path),
            ".jsonl" => JsonLines(path),
            var other => throw new UserErrorException($"{path} ends in '{other}': the questions of a task are a .csv or a .jsonl file."),
        };
        return [.. records.Select((record, i) => (SubjectOf(record), Question(record, i)))];
    }

    private string SubjectOf(Record record) => task.Subject is { } field ? record.Text(field) : task.Name;

    private Question Question(Record record, int number)
    {
        string id = $"{task.Name}/{number}",
            prompt = Filled(task.Prompt, record);
        if (string.IsNullOrWhiteSpace(prompt))
            throw new UserErrorException($"{record.Place}: the prompt is empty.");
        if (task.Scoring == TaskScoring.Code)
            return new Question(id, prompt, [], [])
            {
                Shown = record.TextOrNull(task.Target),
                Tested = new CodeTest(Filled(task.Before, record), Filled(task.Test, record)),
            };
        if (!task.HasOptions)
            return new Question(id, prompt, [], []) { Solutions = Solutions(record) };
        string[] options =
            task.Options is [var field] && !field.Contains('{', StringComparison.Ordinal)
                ? record.List(field)
                : [.. task.Options.Select(option => Filled(option, record))];
        if (options.Length is 0 or > LettersInAlphabet)
            throw new UserErrorException(
                $"{record.Place}: there are {options.Length} options, where 1 to {LettersInAlphabet} are expected."
            );
        return new Question(id, prompt, options, [Answer(record, options)]);
    }

    private string[] Solutions(Record record)
    {
        string[] solutions = record.List(task.Target);
        return solutions.Length > 0 ? solutions : throw new UserErrorException($"{record.Place}: '{task.Target}' holds no solution.");
    }

    private int Answer(Record record, string[] options)
    {
        var value = record.Value(task.Target);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0 && number < options.Length)
            return number;
        string text = record.Text(task.Target).Trim();
        if (Array.IndexOf(options, text) is var own and >= 0)
            return own;
        return value.ValueKind == JsonValueKind.Number
            ? throw new UserErrorException($"{record.Place}: the answer {text} is none of the numbers 0 to {options.Length - 1}.")
            : ExamFiles.OptionOf(text, options.Length, record.Place);
    }

    private static string Filled(string template, Record record) => Field().Replace(template, match => record.Text(match.Groups[1].Value));

    private IEnumerable<Record> Csv(string path)
    {
        using var reader = new StringReader(TextFile.All(path));
        using var csv = new CsvParser(
            reader,
            new CsvConfiguration(CultureInfo.InvariantCulture) { Mode = CsvMode.RFC4180, BadDataFound = null }
        );
        var columns = task.Columns;
        while (csv.Read())
        {
            string[] row = csv.Record!;
            string place = $"{path}, line {csv.RawRow}";
            if (columns.Count == 0)
            {
                columns = row;
                if (columns.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                    throw new UserErrorException($"{place}: two columns are called '{twice.Key}': give each a name of its own.");
                continue;
            }
            // A comma too many shifts everything behind it: the answer would be another field's.
            if (row.Length != columns.Count)
                throw new UserErrorException(
                    $"{place}: there are {row.Length} fields, where {columns.Count} are expected ({string.Join(", ", columns)}): "
                        + "put texts with commas in double quotes."
                );
            yield return new Record(
                place,
                columns
                    .Select((name, i) => (name, Value: JsonSerializer.SerializeToElement(row[i])))
                    .ToDictionary(pair => pair.name, pair => pair.Value)
            );
        }
    }

    private static IEnumerable<Record> JsonLines(string path)
    {
        int number = 0;
        foreach (string line in TextFile.Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            string place = $"{path}, line {number}";
            Dictionary<string, JsonElement>? fields;
            try
            {
                fields = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(line);
            }
            catch (JsonException failure)
            {
                throw new UserErrorException($"{place} is no JSON object.", failure);
            }
            yield return new Record(place, fields ?? throw new UserErrorException($"{place} is no JSON object."));
        }
    }

    [GeneratedRegex(@"\{([^{}\s]+)\}")]
    private static partial Regex Field();

    /// <summary>A question's fields.</summary>
    private sealed record Record(string Place, IReadOnlyDictionary<string, JsonElement> Fields)
    {
        public JsonElement Value(string field) =>
            Fields.TryGetValue(field, out var value)
                ? value
                : throw new UserErrorException($"{Place}: there is no field '{field}'; there are {string.Join(", ", Fields.Keys)}.");

        public string Text(string field) =>
            Value(field) is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.Null) } value
                ? value.ToString()
                : throw new UserErrorException($"{Place}: '{field}' holds no text.");

        public string? TextOrNull(string field) => Fields.ContainsKey(field) ? Text(field) : null;

        public string[] List(string field) =>
            Value(field) is { ValueKind: JsonValueKind.Array } list
                ? [.. list.EnumerateArray().Select(item => item.ToString())]
                : [Text(field)];
    }
}

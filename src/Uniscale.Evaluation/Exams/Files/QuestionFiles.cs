using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>What the readers of question files have in common.</summary>
internal static class QuestionFiles
{
    /// <summary>The first of several files or folders that is there.</summary>
    /// <exception cref="UserErrorException">None is.</exception>
    public static string Find(string folder, string task, params IEnumerable<string> names) =>
        FindOrNull(folder, names)
        ?? throw new UserErrorException($"{folder} has no {string.Join(" or ", names)}, which hold the questions of {task}.");

    /// <summary>The same; null: none is.</summary>
    public static string? FindOrNull(string folder, params IEnumerable<string> names) =>
        names.Select(name => Path.Combine(folder, name)).FirstOrDefault(Path.Exists);

    /// <summary>A question for each line of a file of JSON lines.</summary>
    /// <param name="path">The file; .gz is read too.</param>
    /// <param name="expected">What a line is expected to hold, for messages.</param>
    /// <param name="read">Reads a record; the second argument is its number from 0. Null: it is none of these questions.</param>
    /// <exception cref="UserErrorException">A line is no such record, with its place.</exception>
    public static List<Question> Lines(string path, string expected, Func<JsonElement, int, Question?> read)
    {
        var questions = new List<Question>();
        using var file = File.OpenRead(path);
        using Stream content = path.EndsWith(".gz", StringComparison.Ordinal)
            ? new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionMode.Decompress)
            : file;
        foreach ((int number, string line) in TextFile.Lines(content, path).Index())
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (Guarded($"{path}, line {number + 1}", expected, () => Parsed(line, record => read(record, number))) is { } question)
                questions.Add(question);
        }
        return questions;
    }

    /// <summary>What a whole file of JSON holds.</summary>
    /// <exception cref="UserErrorException">It holds something else.</exception>
    public static T Whole<T>(string path, string expected, Func<JsonElement, T> read) =>
        Guarded(path, expected, () => Parsed(TextFile.All(path), read));

    /// <summary>Texts of a list, or the one text.</summary>
    public static string[] Texts(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => item.GetString() ?? "")]
            : [value.GetString() ?? ""];

    /// <summary>A field that is a text.</summary>
    public static string Text(JsonElement record, string field) => record.GetProperty(field).GetString() ?? "";

    private static T Parsed<T>(string json, Func<JsonElement, T> read)
    {
        using var document = JsonDocument.Parse(json);
        return read(document.RootElement);
    }

    private static T Guarded<T>(string place, string expected, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception failure)
            when (failure is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new UserErrorException($"{place} is not what was expected: {expected}.", failure);
        }
    }
}

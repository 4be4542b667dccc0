using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Generation;

/// <summary>A prompt of a file, with what it says of its own.</summary>
/// <param name="Text">Text to continue.</param>
/// <param name="Seed">Its own seed; null: that of the command plus its number.</param>
/// <param name="Tokens">Tokens to write at most; null: as the command says.</param>
/// <param name="Stop">Texts before which it ends, besides those of the command.</param>
public sealed record Prompt(string Text, long? Seed, int? Tokens, IReadOnlyList<string> Stop)
{
    /// <summary>
    /// Reads the prompts of a file of JSON lines: {"prompt": "...", "seed": 1, "tokens": 100, "stop": ["..."]}, of which the prompt alone
    /// must be there.
    /// </summary>
    /// <exception cref="UserErrorException">The file is missing, or a line is none of a prompt.</exception>
    public static IReadOnlyList<Prompt> ReadFile(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"The file of prompts {path} does not exist.");
        var prompts = new List<Prompt>();
        int number = 0;
        foreach (string line in TextFile.Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                var read = JsonSerializer.Deserialize<Line>(line);
                if (read?.Prompt is not { } text)
                    throw new JsonException("it has no \"prompt\"");
                if (read.Tokens < 1)
                    throw new JsonException($"its \"tokens\" are {read.Tokens}");
                prompts.Add(new Prompt(text, read.Seed, read.Tokens, read.Stop ?? []));
            }
            catch (JsonException failure)
            {
                throw new UserErrorException(
                    $"Line {number} of {path} is no prompt ({Problem(failure)}): each line is a JSON object like {{\"prompt\": \"Once upon\"}}.",
                    failure
                );
            }
        }
        return prompts.Count > 0
            ? prompts
            : throw new UserErrorException($"{path} has no prompts: each line is a JSON object like {{\"prompt\": \"Once upon\"}}.");
    }

    /// <summary>The reader names types of the code; a user knows the field.</summary>
    private static string Problem(JsonException failure) =>
        failure.Message.StartsWith("The JSON value could not be converted", StringComparison.Ordinal)
            ? failure.Path is { Length: > 2 } path
                ? $"\"{path[2..]}\" holds a value of another kind"
                : "it is no object"
            : failure.Message.TrimEnd('.');

    private sealed record Line
    {
        [JsonPropertyName("prompt")]
        public string? Prompt { get; init; }

        [JsonPropertyName("seed")]
        public long? Seed { get; init; }

        [JsonPropertyName("tokens")]
        public int? Tokens { get; init; }

        [JsonPropertyName("stop")]
        public IReadOnlyList<string>? Stop { get; init; }
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;

namespace Uniscale.Alignment.Samples;

/// <summary>An answer as a line of JSON, with what is known of it.</summary>
public sealed record RecordedAnswer
{
    private static readonly JsonSerializerOptions Plain = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Number of the prompt.</summary>
    public required int Number { get; init; }

    /// <summary>Domain of the prompt.</summary>
    public required string Domain { get; init; }

    /// <summary>The prompt, as comparisons have it: a text where it is one question, or a list of messages.</summary>
    public required JsonNode Prompt { get; init; }

    /// <summary>The answer's text, without what ends it.</summary>
    public required string Answer { get; init; }

    /// <summary>The answer of the file.</summary>
    public required string Reference { get; init; }

    /// <summary>What it is rewarded with.</summary>
    public double? Reward { get; init; }

    /// <summary>Score of the reward model; null: there is none.</summary>
    public double? Score { get; init; }

    /// <summary>Score of the model that nothing is learned from; null: there is none.</summary>
    public double? HeldOut { get; init; }

    /// <summary>Length of the answer in tokens.</summary>
    public required int Tokens { get; init; }

    /// <summary>Share of its pairs of neighbouring tokens that it has had before.</summary>
    public required double Repetition { get; init; }

    /// <summary>Whether it ends by itself.</summary>
    public required bool Ended { get; init; }

    /// <summary>An answer that was drawn and rewarded.</summary>
    /// <param name="prompt">What it answers.</param>
    /// <param name="drawn">The answer.</param>
    /// <param name="hasScore">Whether a reward model has scored it.</param>
    /// <param name="textOf">Reads tokens.</param>
    public static RecordedAnswer Of(SamplePrompt prompt, DrawnAnswer drawn, bool hasScore, Func<int[], string> textOf) =>
        new()
        {
            Number = prompt.Number,
            Domain = prompt.Prompt.Domain,
            Prompt = PromptOf(prompt.Messages),
            Answer = textOf(drawn.Tokens),
            Reference = textOf(prompt.Prompt.Reference),
            Reward = Finite(drawn.Reward),
            Score = hasScore ? Finite(drawn.Score) : null,
            HeldOut = drawn.HeldOutScore is { } score ? Finite(score) : null,
            Tokens = drawn.Tokens.Length,
            Repetition = 1 - BatchMeasures.DistinctPairs([drawn]),
            Ended = drawn.IsEnded,
        };

    /// <summary>Writes answers, one a line, all or none of them.</summary>
    public static void Write(string path, IEnumerable<RecordedAnswer> answers) => JsonLines.Write(path, answers, Plain);

    /// <summary>Reads a file of answers.</summary>
    /// <exception cref="UserErrorException">It is missing or damaged.</exception>
    public static IReadOnlyList<RecordedAnswer> Read(string path) => JsonLines.Read<RecordedAnswer>(path, Plain);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static JsonNode PromptOf(IReadOnlyList<ChatMessage> messages)
    {
        if (messages is [{ Role: ChatMessage.User, Name: null, ToolCall: null } only])
            return JsonValue.Create(only.Content);
        return new JsonArray([.. messages.Select(Message)]);

        static JsonNode Message(ChatMessage message)
        {
            var node = new JsonObject { ["role"] = message.Role, ["content"] = message.Content };
            if (message.Name is not null)
                node["name"] = message.Name;
            if (message.ToolCall is { } call)
                node["tool_calls"] = new JsonArray(
                    new JsonObject { ["function"] = JsonNode.Parse(call) }
                );
            return node;
        }
    }
}

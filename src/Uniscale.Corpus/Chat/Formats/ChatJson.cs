using System.Text.Json;

namespace Uniscale.Corpus.Chat.Formats;

/// <summary>What the forms have in common: messages and texts of a JSON object.</summary>
internal static class ChatJson
{
    /// <summary>Keys by which a message says whether it is learned: our own, xtuner's and OpenAI's.</summary>
    private static readonly string[] Switches = ["loss", "output_with_loss", "weight"];

    /// <summary>A text by its key; null where there is none.</summary>
    public static string? Text(JsonElement record, string key) =>
        record.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The domain that a record names.</summary>
    public static string? Domain(JsonElement record) => Text(record, "domain") is { Length: > 0 } domain ? domain : null;

    /// <summary>A list of messages, answers learned where the record does not say otherwise.</summary>
    public static IReadOnlyList<ChatMessage> Messages(JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw new ChatRecordException("no list of messages");
        return [.. list.EnumerateArray().Select(Message)];
    }

    /// <summary>A text as a message of a role, or a list of messages.</summary>
    public static IReadOnlyList<ChatMessage> TextOrMessages(JsonElement record, string key, string role)
    {
        if (!record.TryGetProperty(key, out var value))
            throw new ChatRecordException($"no {key}");
        return value.ValueKind switch
        {
            JsonValueKind.String => [new ChatMessage(role, value.GetString()!) { IsLearned = role == ChatMessage.Assistant }],
            JsonValueKind.Array => Messages(value),
            _ => throw new ChatRecordException($"{key} that is neither text nor messages"),
        };
    }

    /// <summary>A copy of which nothing is learned.</summary>
    public static IEnumerable<ChatMessage> Read(IEnumerable<ChatMessage> messages) =>
        messages.Select(message => message with { IsLearned = false });

    /// <summary>The description of tools, as the first message; nothing where there are none.</summary>
    public static IEnumerable<ChatMessage> Tools(JsonElement record)
    {
        if (!record.TryGetProperty("tools", out var tools) || tools.ValueKind is JsonValueKind.Null)
            return [];
        string text = tools.ValueKind == JsonValueKind.String ? tools.GetString()! : tools.GetRawText();
        return string.IsNullOrWhiteSpace(text) || text == "[]" ? [] : [new ChatMessage(ChatMessage.System, text) { Name = ToolsName }];
    }

    /// <summary>Name of the message that describes tools, which the template writes in its own way.</summary>
    public const string ToolsName = "tools";

    private static ChatMessage Message(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object || Text(message, "role") is not { } role)
            throw new ChatRecordException("a message without a role");
        role = ChatMessage.RoleOf(role);
        string? call = Call(message);
        return new ChatMessage(role, Content(message) ?? (call is null ? throw new ChatRecordException("a message without a text") : ""))
        {
            Name = Text(message, "name"),
            ToolCall = call,
            IsLearned = role == ChatMessage.Assistant && !IsSwitchedOff(message),
            IsCut = message.TryGetProperty("ended", out var ended) && ended.ValueKind == JsonValueKind.False,
        };
    }

    /// <summary>Content as a text, or as a list of parts of which every one is text.</summary>
    private static string? Content(JsonElement message)
    {
        if (!message.TryGetProperty("content", out var content) || content.ValueKind == JsonValueKind.Null)
            return null;
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString();
        if (content.ValueKind != JsonValueKind.Array)
            throw new ChatRecordException("a message without a text");
        return string.Concat(
            content
                .EnumerateArray()
                .Select(part =>
                    part.ValueKind == JsonValueKind.String ? part.GetString()
                    : part.ValueKind == JsonValueKind.Object && Text(part, "text") is { } text ? text
                    : throw new ChatRecordException("a message with a picture or sound")
                )
        );
    }

    /// <summary>Calls of tools as OpenAI writes them; several stand one a line.</summary>
    private static string? Call(JsonElement message)
    {
        if (!message.TryGetProperty("tool_calls", out var calls) || calls.ValueKind != JsonValueKind.Array || calls.GetArrayLength() == 0)
            return null;
        return string.Join(
            '\n',
            calls.EnumerateArray().Select(call => call.TryGetProperty("function", out var function) ? One(function) : One(call))
        );

        static string One(JsonElement function)
        {
            string name = Text(function, "name") ?? throw new ChatRecordException("a call of a tool without its name");
            string parameters =
                !function.TryGetProperty("arguments", out var arguments) ? "{}"
                : arguments.ValueKind == JsonValueKind.String ? arguments.GetString()!
                : arguments.GetRawText();
            return $"{{\"name\": {JsonSerializer.Serialize(name)}, \"parameters\": {parameters}}}";
        }
    }

    private static bool IsSwitchedOff(JsonElement message) =>
        Switches.Any(key =>
            message.TryGetProperty(key, out var value)
            && value.ValueKind switch
            {
                JsonValueKind.False => true,
                JsonValueKind.Number => value.GetDouble() switch
                {
                    0 => true,
                    1 => false,
                    _ => throw new ChatRecordException($"a message whose {key} is neither 0 nor 1"),
                },
                _ => false,
            }
        );
}

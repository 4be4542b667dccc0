using System.Text;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Reading;

/// <summary>A message of a chat.</summary>
internal readonly record struct ChatMessage(string Role, string Content);

/// <summary>How a list of chat messages becomes a text.</summary>
internal sealed class ChatTemplate
{
    private static readonly SortedDictionary<string, ChatTemplate> Known = new(StringComparer.Ordinal)
    {
        ["chatml"] = new("<|im_start|>", "\n", "<|im_end|>\n"),
        ["plain"] = new("", ": ", "\n"),
    };

    private readonly string _before, _between, _after;

    private ChatTemplate(string before, string between, string after) => (_before, _between, _after) = (before, between, after);

    /// <exception cref="UserErrorException">There is no such template.</exception>
    public static ChatTemplate Of(string name) =>
        Known.GetValueOrDefault(name) ?? throw new UserErrorException($"--template {name} is unknown{Names.Hint(name, [.. Known.Keys])}");

    /// <summary>The text of a chat; null for one without messages.</summary>
    public string? Render(IReadOnlyCollection<ChatMessage> messages)
    {
        if (messages.Count == 0)
            return null;
        var text = new StringBuilder();
        foreach ((string role, string content) in messages)
            text.Append(_before).Append(RoleOf(role)).Append(_between).Append(content).Append(_after);
        return text.ToString();
    }

    /// <summary>ShareGPT's names.</summary>
    private static string RoleOf(string role) => role switch { "human" => "user", "gpt" => "assistant", _ => role };
}

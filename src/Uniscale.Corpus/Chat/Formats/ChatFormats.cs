using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Chat.Formats;

/// <summary>A record that is left out, with the reason as it is counted.</summary>
internal sealed class ChatRecordException(string reason) : Exception(reason);

/// <summary>The forms in which people have chats, each from one JSON object to a sample.</summary>
internal static class ChatFormats
{
    private static readonly SortedDictionary<string, Func<JsonElement, ChatSample>> Known = new(StringComparer.Ordinal)
    {
        ["messages"] = MessagesFormat.Read,
        ["alpaca"] = AlpacaFormat.Read,
        ["sharegpt"] = ShareGptFormat.Read,
        ["prompt"] = PromptFormat.Read,
        ["preference"] = PreferenceFormat.Read,
    };

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names => [.. Known.Keys];

    /// <summary>Whether the answers of a record are compared.</summary>
    public static bool Compares(string name) => name == "preference";

    /// <summary>The reader of a form.</summary>
    /// <exception cref="UserErrorException">There is no such form.</exception>
    public static Func<JsonElement, ChatSample> Of(string name) =>
        Known.GetValueOrDefault(name)
        ?? throw new UserErrorException($"--format {name} is unknown{Configuration.Schema.Names.Hint(name, Names)}");
}

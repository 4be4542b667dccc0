using System.Text.Json;

namespace Uniscale.Corpus.Chat.Formats;

/// <summary><c>{"messages": [{"role", "content"}, …], "tools": …}</c>.</summary>
internal static class MessagesFormat
{
    public static ChatSample Read(JsonElement record)
    {
        if (!record.TryGetProperty("messages", out var messages))
            throw new ChatRecordException("no messages");
        return new ChatSample(
            [
                [.. ChatJson.Tools(record), .. ChatJson.Messages(messages)],
            ],
            ChatJson.Domain(record)
        );
    }
}

/// <summary>
/// <c>{"instruction", "input", "output", "system", "history": [[question, answer], …]}</c>: the question is the instruction, and the input
/// on a line of its own.
/// </summary>
internal static class AlpacaFormat
{
    public static ChatSample Read(JsonElement record)
    {
        string instruction = ChatJson.Text(record, "instruction") ?? throw new ChatRecordException("no instruction");
        string output = ChatJson.Text(record, "output") ?? throw new ChatRecordException("no output");
        var chat = new List<ChatMessage>();
        if (ChatJson.Text(record, "system") is { Length: > 0 } system)
            chat.Add(new ChatMessage(ChatMessage.System, system));
        if (record.TryGetProperty("history", out var history) && history.ValueKind == JsonValueKind.Array)
        {
            foreach (var turn in history.EnumerateArray())
            {
                if (
                    turn.ValueKind != JsonValueKind.Array
                    || turn.GetArrayLength() != 2
                    || turn.EnumerateArray().Any(text => text.ValueKind != JsonValueKind.String)
                )
                    throw new ChatRecordException("a history that is no list of questions and answers");
                chat.Add(new ChatMessage(ChatMessage.User, turn[0].GetString()!));
                chat.Add(ChatMessage.Answer(turn[1].GetString()!));
            }
        }
        string input = ChatJson.Text(record, "input") ?? "";
        chat.Add(new ChatMessage(ChatMessage.User, input.Length > 0 ? $"{instruction}\n{input}" : instruction));
        chat.Add(ChatMessage.Answer(output));
        return new ChatSample([chat], ChatJson.Domain(record));
    }
}

/// <summary>
/// <c>{"conversations": [{"from", "value"}, …], "system", "tools"}</c>: question or observation at odd places, answer or call of a tool at
/// even ones.
/// </summary>
internal static class ShareGptFormat
{
    public static ChatSample Read(JsonElement record)
    {
        if (!record.TryGetProperty("conversations", out var turns) || turns.ValueKind != JsonValueKind.Array)
            throw new ChatRecordException("no conversations");
        var chat = new List<ChatMessage>(ChatJson.Tools(record));
        if (ChatJson.Text(record, "system") is { Length: > 0 } system)
            chat.Insert(0, new ChatMessage(ChatMessage.System, system));
        bool answers = false;
        foreach (var turn in turns.EnumerateArray())
        {
            if (turn.ValueKind != JsonValueKind.Object || ChatJson.Text(turn, "from") is not { } from)
                throw new ChatRecordException("a message without a role");
            string text = ChatJson.Text(turn, "value") ?? throw new ChatRecordException("a message without a text");
            string role = ChatMessage.RoleOf(from);
            if (role == ChatMessage.System)
            {
                chat.Add(new ChatMessage(role, text));
                continue;
            }
            if ((role == ChatMessage.Assistant) != answers)
                throw new ChatRecordException("turns out of order");
            answers = !answers;
            chat.Add(
                from == "function_call"
                    ? new ChatMessage(role, "") { ToolCall = text, IsLearned = true }
                    : new ChatMessage(role, text) { IsLearned = role == ChatMessage.Assistant }
            );
        }
        return new ChatSample([chat], ChatJson.Domain(record));
    }
}

/// <summary><c>{"prompt", "completion"}</c>, each a text or messages; what is in the prompt is only read.</summary>
internal static class PromptFormat
{
    public static ChatSample Read(JsonElement record)
    {
        var prompt = ChatJson.TextOrMessages(record, "prompt", ChatMessage.User);
        var completion = ChatJson.TextOrMessages(record, "completion", ChatMessage.Assistant);
        return new ChatSample(
            [
                [.. ChatJson.Tools(record), .. ChatJson.Read(prompt), .. completion],
            ],
            ChatJson.Domain(record)
        );
    }
}

/// <summary>
/// <c>{"prompt", "chosen", "rejected"}</c>, each a text or messages, or <c>{"prompt", "ranked": [best, …, worst]}</c>. Without a prompt it
/// is what the answers
/// begin with alike; what is in it is only read.
/// </summary>
internal static class PreferenceFormat
{
    public static ChatSample Read(JsonElement record)
    {
        var answers = Answers(record);
        if (answers.Count < 2)
            throw new ChatRecordException("a comparison of fewer than two answers");
        bool hasPrompt = record.TryGetProperty("prompt", out var given) && given.ValueKind != JsonValueKind.Null;
        var prompt = hasPrompt ? ChatJson.TextOrMessages(record, "prompt", ChatMessage.User) : CommonBeginning(answers);
        var chats = answers
            .Select(answer =>
                (IReadOnlyList<ChatMessage>)
                    [.. ChatJson.Tools(record), .. ChatJson.Read(prompt), .. hasPrompt ? answer : answer.Skip(prompt.Count)]
            )
            .ToList();
        for (int i = 0; i < chats.Count; i++)
            for (int j = 0; j < i; j++)
                if (chats[i].SequenceEqual(chats[j]))
                    throw new ChatRecordException("answers that are the same");
        return new ChatSample(chats, ChatJson.Domain(record));
    }

    private static List<IReadOnlyList<ChatMessage>> Answers(JsonElement record)
    {
        if (!record.TryGetProperty("ranked", out var ranked))
            return
            [
                ChatJson.TextOrMessages(record, "chosen", ChatMessage.Assistant),
                ChatJson.TextOrMessages(record, "rejected", ChatMessage.Assistant),
            ];
        if (ranked.ValueKind != JsonValueKind.Array)
            throw new ChatRecordException("ranked that is no list of answers");
        return
        [
            .. ranked
                .EnumerateArray()
                .Select(answer =>
                    answer.ValueKind == JsonValueKind.String ? [ChatMessage.Answer(answer.GetString()!)] : ChatJson.Messages(answer)
                ),
        ];
    }

    /// <summary>The messages that all answers begin with.</summary>
    private static List<ChatMessage> CommonBeginning(List<IReadOnlyList<ChatMessage>> answers)
    {
        int shortest = answers.Min(answer => answer.Count),
            common = 0;
        while (common < shortest && answers.All(answer => answer[common] == answers[0][common]))
            common++;
        return common > 0 ? [.. answers[0].Take(common)] : throw new ChatRecordException("a comparison without a prompt");
    }
}

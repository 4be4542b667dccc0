using Uniscale.Corpus.Chat;
using Uniscale.Data;

namespace Uniscale.Corpus.Tests.Chat;

/// <summary>The forms that people bring, and what is left out of them with which reason.</summary>
public sealed class ChatReaderTests(ChatVocabulary vocabulary) : IClassFixture<ChatVocabulary>, IDisposable
{
    private const string Q = "<s><|im_start|>user\n",
        A = "<|im_end|>\n<|im_start|>assistant\n",
        E = "<|im_end|>]\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-chat-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("messages", """{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}""", Q + "q" + A + "[a" + E)]
    [InlineData(
        "messages",
        """{"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":"a","weight":0},{"role":"user","content":"r"},{"role":"assistant","content":"b"}]}""",
        Q + "q" + A + "a<|im_end|>\n<|im_start|>user\nr" + A + "[b" + E
    )]
    [InlineData(
        "messages",
        """{"messages":[{"role":"system","content":""},{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}""",
        Q + "q" + A + "[<|action_start|><|plugin|>\n{\"name\": \"f\", \"parameters\": {}}<|action_end|>\n" + E
    )]
    [InlineData("alpaca", """{"instruction":"add","input":"1 2","output":"3"}""", Q + "add\n1 2" + A + "[3" + E)]
    [InlineData(
        "alpaca",
        """{"instruction":"b","output":"2","history":[["a","1"]]}""",
        Q + "a" + A + "[1" + E + "<|im_start|>user\nb" + A + "[2" + E
    )]
    [InlineData("sharegpt", """{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}""", Q + "q" + A + "[a" + E)]
    [InlineData(
        "sharegpt",
        """{"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"{}"},{"from":"observation","value":"ok"},{"from":"gpt","value":"a"}]}""",
        Q + "q" + A + "[<|action_start|><|plugin|>\n{}<|action_end|>\n" + E + "<|im_start|>environment\nok" + A + "[a" + E
    )]
    [InlineData("prompt", """{"prompt":"q","completion":"a"}""", Q + "q" + A + "[a" + E)]
    [InlineData(
        "prompt",
        """{"prompt":[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}],"completion":"b"}""",
        Q + "q" + A + "a<|im_end|>\n<|im_start|>user\nr" + A + "[b" + E
    )]
    public void Every_form_becomes_a_chat_of_which_answers_are_learned(string format, string json, string expected) =>
        Assert.Equal(expected, vocabulary.Text(Assert.Single(Read(format, json).Chats)));

    [Theory]
    [InlineData("""{"prompt":"q","chosen":"a","rejected":"b"}""")]
    [InlineData(
        """{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]}"""
    )]
    [InlineData("""{"prompt":"q","ranked":["a","b"]}""")]
    public void Answers_are_compared_at_the_reward_token(string json)
    {
        var chats = Read("preference", json).Chats;
        Assert.Equal(
            [Q + "q" + A + "[a" + E + "[UNUSED_TOKEN_130]", Q + "q" + A + "[b" + E + "[UNUSED_TOKEN_130]"],
            chats.Select(vocabulary.Text)
        );
        Assert.Equal([TokenMarks.Score, TokenMarks.Score | TokenMarks.Last], chats.Select(chat => chat.Marks[^1]));
    }

    /// <summary>The reward token stands behind what is left of a chat, so it is never cut.</summary>
    [Fact]
    public void A_chat_that_is_too_long_keeps_its_beginning_and_its_reward_token()
    {
        var sample = Read("preference", $$"""{"prompt":"q","chosen":"yes {{new string('x', 200)}}","rejected":"no"}""", context: 100);
        Assert.Equal((50, 1), (sample.Chats[0].Tokens.Length, sample.Truncated));
        Assert.Equal(vocabulary.Tokenizer.IdOf("[UNUSED_TOKEN_130]"), sample.Chats[0].Tokens[^1]);
        var cut = Read("prompt", $$"""{"prompt":"q","completion":"{{new string('x', 200)}}"}""", context: 64);
        Assert.Equal((64, 1), (Assert.Single(cut.Chats).Tokens.Length, cut.Truncated));
    }

    /// <summary>What a reward model reads of an answer that was drawn is what it was trained on.</summary>
    [Theory]
    [InlineData("math", "be exact")]
    [InlineData("other", null)]
    public void A_drawn_answer_is_scored_as_one_of_a_comparison(string domain, string? condition)
    {
        var options = Options("preference") with { Conditions = new Dictionary<string, string> { ["math"] = "be exact" } };
        var trained = ReadAll(options, $$"""{"prompt":"q","chosen":"a","rejected":"b","domain":"{{domain}}"}""")[0].Chats[0];
        var drawn = Assert.Single(Read("prompt", """{"prompt":"q","completion":"a"}""").Chats);
        int first = Array.FindIndex(drawn.Marks, mark => mark.HasFlag(TokenMarks.Learned)),
            end = Array.FindLastIndex(drawn.Marks, mark => mark.HasFlag(TokenMarks.Learned)) + 1;
        Assert.Equal(
            trained.Tokens,
            vocabulary
                .Writer()
                .EncodeScored(drawn.Tokens.AsSpan(0, first), drawn.Tokens.AsSpan(first, end - first), isEnded: true, condition)
        );
    }

    [Fact]
    public void A_domain_has_its_condition_and_others_have_none()
    {
        var options = Options("preference") with { Conditions = new Dictionary<string, string> { ["math"] = "be exact" } };
        const string Pair = "\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"";
        Assert.StartsWith(
            "<s><|im_start|>system\nbe exact<|im_end|>\n",
            vocabulary.Text(ReadAll(options, $$"""{{{Pair}},"domain":"math"}""")[0].Chats[1]),
            StringComparison.Ordinal
        );
        Assert.StartsWith(Q, vocabulary.Text(ReadAll(options, $$"""{{{Pair}},"domain":"other"}""")[0].Chats[1]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("messages", "[1]", "lines that are no JSON object")]
    [InlineData("messages", """{"text":"x"}""", "no messages")]
    [InlineData(
        "messages",
        """{"messages":[{"role":"narrator","content":"x"}]}""",
        "the role 'narrator', which the template does not know"
    )]
    [InlineData("messages", """{"messages":[{"role":"user","content":"x"}]}""", "nothing to learn")]
    [InlineData("messages", """{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":" "}]}""", "an empty answer")]
    [InlineData("messages", """{"messages":[{"role":"user"}]}""", "a message without a text")]
    [InlineData("messages", """{"messages":[{"content":"x"}]}""", "a message without a role")]
    [InlineData(
        "messages",
        """{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","weight":0.5}]}""",
        "a message whose weight is neither 0 nor 1"
    )]
    [InlineData("messages", """{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", "a message with a picture or sound")]
    [InlineData("messages", """{"messages":[{"role":"user","content":"\ud800"}]}""", "texts with half a character")]
    [InlineData("sharegpt", """{"conversations":[{"from":"gpt","value":"a"},{"from":"human","value":"q"}]}""", "turns out of order")]
    [InlineData("alpaca", """{"instruction":"x"}""", "no output")]
    [InlineData("prompt", """{"prompt":"x"}""", "no completion")]
    [InlineData("preference", """{"prompt":"q","chosen":"a","rejected":"a"}""", "answers that are the same")]
    [InlineData("preference", """{"prompt":"q","chosen":"a"}""", "no rejected")]
    [InlineData("preference", """{"chosen":"a","rejected":"b"}""", "a comparison without a prompt")]
    [InlineData("preference", """{"prompt":"q","ranked":["a"]}""", "a comparison of fewer than two answers")]
    [InlineData("preference", """{"prompt":"q","chosen":"","rejected":"b"}""", "an empty answer")]
    public void What_is_left_out_has_its_reason(string format, string json, string reason) =>
        Assert.Equal(reason, Read(format, json).Reason);

    [Fact]
    public void A_prompt_that_fills_the_longest_length_leaves_nothing_to_learn() =>
        Assert.Equal(
            "nothing to learn is left within the longest length",
            Read("prompt", $$"""{"prompt":"{{new string('x', 200)}}","completion":"a"}""", context: 64).Reason
        );

    [Theory]
    [InlineData("a.jsonl", "{\"prompt\":\"q\",\"completion\":\"a\"}\n{\"prompt\":\"r\",\"completion\":\"b\"}\n")]
    [InlineData("a.json", "[{\"prompt\":\"q\",\"completion\":\"a\"},\n {\"prompt\":\"r\",\"completion\":\"b\"}]")]
    [InlineData("b.json", "{\n \"prompt\":\"q\",\n \"completion\":\"a\"}\n{\"prompt\":\"r\",\"completion\":\"b\"}")]
    public void Lines_arrays_and_objects_are_read_alike(string name, string text)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, name), text);
        var samples = new ChatReader(Options("prompt"), vocabulary.Writer()).Read([_folder.FullName]).ToList();
        Assert.Equal([Q + "q" + A + "[a" + E, Q + "r" + A + "[b" + E], samples.Select(sample => vocabulary.Text(sample.Chats[0])));
    }

    [Fact]
    public void A_damaged_file_is_one_sentence()
    {
        string path = Path.Combine(_folder.FullName, "cut.json");
        File.WriteAllText(path, "[{\"prompt\":\"q\",\"completion\":\"a\"},\n {\"prompt\":\"r\"");
        var error = Assert.Throws<Configuration.UserErrorException>(() =>
            new ChatReader(Options("prompt"), vocabulary.Writer()).Read([path]).ToList()
        );
        Assert.Contains("cut.json is damaged: it is cut within an object", error.Message, StringComparison.Ordinal);
    }

    private static ChatOptions Options(string format, int context = 256) =>
        new()
        {
            Format = format,
            Template = ChatTemplate.Of("internlm2"),
            Context = context,
        };

    private TokenizedSample Read(string format, string json, int context = 256) => Assert.Single(ReadAll(Options(format, context), json));

    private List<TokenizedSample> ReadAll(ChatOptions options, string json)
    {
        string path = Path.Combine(_folder.FullName, "data.jsonl");
        File.WriteAllText(path, json + "\n");
        return [.. new ChatReader(options, vocabulary.Writer()).Read([path])];
    }
}

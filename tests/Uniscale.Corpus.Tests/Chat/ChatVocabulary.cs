using Uniscale.Corpus.Chat;
using Uniscale.Data;

namespace Uniscale.Corpus.Tests.Chat;

/// <summary>A vocabulary with InternLM2's special tokens, trained in a moment.</summary>
public sealed class ChatVocabulary : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-chat-");

    public ChatVocabulary()
    {
        string path = Path.Combine(_folder.FullName, "text.txt");
        File.WriteAllText(
            path,
            string.Join(
                '\n',
                Enumerable
                    .Range(0, 200)
                    .Select(i => $"user assistant system environment question {i * i} and the answer {i}: yes or no, im start end")
            )
        );
        string model = Path.Combine(_folder.FullName, "chat.model");
        TokenizerTrainer.Train(
            DocumentReader.Read(path),
            model,
            new TokenizerTraining
            {
                VocabularySize = 360,
                Threads = 1,
                Symbols = [.. ChatTemplate.Of("internlm2").SpecialTokens, "[UNUSED_TOKEN_130]", "<eoh>", "<eoa>"],
            }
        );
        Tokenizer = Tokenizer.Load(model);
    }

    public Tokenizer Tokenizer { get; }

    /// <summary>Writes chats by a template that comes with the program.</summary>
    public ChatTokenizer Writer(string template = "internlm2") => new(ChatTemplate.Of(template), Tokenizer);

    /// <summary>The pieces of tokens, what is learned in brackets.</summary>
    public string Text(TokenizedChat chat)
    {
        string text = "";
        for (int i = 0; i < chat.Tokens.Length; i++)
        {
            string piece =
                chat.Tokens[i] == Tokenizer.BeginId ? "<s>"
                : chat.Tokens[i] == Tokenizer.EndId ? "</s>"
                : Tokenizer.PieceOf(chat.Tokens[i]).Text.Replace('\u2581', ' ');
            if (piece.StartsWith("<0x", StringComparison.Ordinal))
                piece = ((char)Convert.ToInt32(piece[3..5], 16)).ToString();
            text += chat.Marks[i].HasFlag(TokenMarks.Learned) ? $"[{piece}]" : piece;
        }
        return text.Replace("][", "", StringComparison.Ordinal);
    }

    public void Dispose()
    {
        Tokenizer.Dispose();
        _folder.Delete(recursive: true);
    }
}

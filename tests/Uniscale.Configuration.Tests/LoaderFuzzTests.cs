namespace Uniscale.Configuration.Tests;

/// <summary>Whatever a file holds, the loader answers with a configuration or with one sentence, never with another failure.</summary>
public sealed class LoaderFuzzTests
{
    private const int Rounds = 100;

    // Pieces that matter to YAML, to the loader, or to numbers.
    private static readonly string[] Pieces =
    [
        ":",
        " ",
        "\n",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "#",
        "&a ",
        "*a",
        "!!x ",
        "|",
        ">",
        "---\n",
        "\t",
        "${",
        "}",
        "${HOME}",
        "null",
        "~",
        "-1",
        "0",
        "1e999",
        "99999999999999999999",
        "4M",
        "é",
        "\u0000",
        "extends: x\n",
        "model:",
        "=",
        "%",
        "@",
        "`",
        "<<: *a\n",
    ];

    public static TheoryData<string> Configurations() => RepositoryFiles.Configurations();

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Any_damage_is_reported_as_the_users(string name)
    {
        // What a file extends is not found from text alone, so the damage begins with the resolved values.
        string text = ConfigurationLoader.Load(RepositoryFiles.Configuration(name)).ToYaml();
        var random = new Random(name.Length);
        for (int round = 0; round < Rounds; round++)
        {
            string damaged = Damage(text, random);
            try
            {
                ConfigurationLoader.Parse(damaged);
            }
            catch (UserErrorException error)
            {
                Assert.DoesNotContain('\n', error.Message.TrimEnd('\n'));
                Assert.NotEqual("", error.Message);
            }
            catch (Exception error)
            {
                Assert.Fail($"{error}\n\n{damaged}");
            }
        }
    }

    private static string Damage(string text, Random random)
    {
        // A window keeps a round quick and the damage near the keys that matter.
        int start = random.Next(text.Length / 2);
        string piece = text[Line(text, start)..Line(text, Math.Min(text.Length, start + 600))];
        for (int edits = random.Next(1, 4); edits > 0 && piece.Length > 2; edits--)
        {
            int at = random.Next(piece.Length);
            int length = random.Next(0, Math.Min(4, piece.Length - at));
            piece = piece[..at] + Pieces[random.Next(Pieces.Length)] + piece[(at + length)..];
        }
        return random.Next(4) == 0 ? piece : text[..Line(text, start)] + piece + text[Line(text, Math.Min(text.Length, start + 600))..];
    }

    private static int Line(string text, int at) =>
        at >= text.Length ? text.Length
        : at == 0 ? 0
        : text.LastIndexOf('\n', at - 1) + 1;
}

using System.Globalization;
using System.Text;

namespace Uniscale.Configuration.Tests.Loading;

/// <summary>What asks for much memory or time is refused with a sentence before it gets either.</summary>
public sealed class YamlReaderTests
{
    [Fact]
    public void Anchors_that_multiply_are_refused()
    {
        var yaml = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for (int level = 1; level <= 9; level++)
            yaml.Append(
                CultureInfo.InvariantCulture,
                $"a{level}: &a{level} [{string.Join(",", Enumerable.Repeat($"*a{level - 1}", 9))}]\n"
            );
        Assert.Equal(
            "config.yaml:6:14: the file has more than 200,000 values, those behind aliases counted each time; shorten it, or allow more with UNISCALE_YAML_VALUES.",
            Message(yaml.ToString())
        );
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("[{a: ")]
    public void Deep_nesting_is_refused(string open) =>
        Assert.EndsWith(
            "maps and lists are nested more than 64 deep here; a configuration needs fewer.",
            Message(string.Concat(Enumerable.Repeat(open, 30_000)))
        );

    [Fact]
    public void Nesting_through_aliases_counts()
    {
        var yaml = new StringBuilder("a0: &a0 [x]\n");
        for (int level = 1; level <= 100; level++)
            yaml.Append(CultureInfo.InvariantCulture, $"a{level}: &a{level} [*a{level - 1}]\n");
        Assert.EndsWith("maps and lists are nested more than 64 deep here; a configuration needs fewer.", Message(yaml.ToString()));
    }

    [Fact]
    public void Sixty_thousand_keys_are_read_in_one_pass()
    {
        var yaml = new StringBuilder();
        for (int i = 0; i < 60_000; i++)
            yaml.Append(CultureInfo.InvariantCulture, $"k{i}: 1\n");
        Assert.StartsWith("config.yaml:1:1: the configuration has no key 'k0'", Message(yaml.ToString()));
        Assert.StartsWith("config.yaml:60001:1: the key 'k59999' is given twice", Message(yaml.Append("k59999: 2\n").ToString()));
    }

    [Fact]
    public void Millions_of_open_references_are_passed_once() =>
        Assert.Contains(
            "has a ${ without its }",
            Message("name: " + string.Concat(Enumerable.Repeat("${A", 3_000_000))),
            StringComparison.Ordinal
        );

    [Fact]
    public void Messages_show_the_beginning_of_a_long_text()
    {
        string text = new string('x', 1_000_000);
        Assert.Equal(
            $"config.yaml:1:10: train.steps expects a whole number, not '{text[..64]}…'.",
            Message($"train: {{ steps: {text} }}").Replace("1:17", "1:10", StringComparison.Ordinal)
        );
        Assert.True(Message($"{text}: 1").Length < 500);
        Assert.True(Message($"model: {{ norm: {text} }}").Length < 500);
    }

    [Fact]
    public void Files_that_extend_one_another_do_not_multiply()
    {
        string folder = Directory.CreateTempSubdirectory("uniscale-extends").FullName;
        File.WriteAllText(Path.Combine(folder, "c0.yaml"), "name: x");
        for (int i = 1; i <= 9; i++)
            File.WriteAllText(
                Path.Combine(folder, $"c{i}.yaml"),
                $"extends: [{string.Join(", ", Enumerable.Repeat($"c{i - 1}.yaml", 9))}]"
            );
        Assert.EndsWith(
            "at most 100 are; files that extend several others multiply.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load(Path.Combine(folder, "c9.yaml"))).Message
        );
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("/dev/zero", "more than 16,777,216 characters")]
    [InlineData("/proc/self/mem", "cannot be read")]
    public void A_file_without_an_end_is_refused(string path, string expected) =>
        Assert.Contains(
            expected,
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load(path)).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void A_file_that_is_no_text_is_refused()
    {
        string path = Path.GetTempFileName();
        File.WriteAllBytes(path, [0x6E, 0x61, 0x6D, 0x65, 0x3A, 0x20, 0xC4, 0xE3]);
        Assert.EndsWith(
            "is not UTF-8 text; is it the right file?",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load(path)).Message
        );
        File.Delete(path);
    }

    private static string Message(string yaml) => Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(yaml)).Message;
}

using System.CommandLine;

namespace Uniscale.Cli.Tests;

public sealed class ShellTests
{
    [Fact]
    public void Alone_it_shows_its_help()
    {
        var (code, output, _) = CommandRun.Of();
        Assert.Equal(0, code);
        Assert.Contains("Commands:", output);
        Assert.Contains("doctor", output);
    }

    [Theory]
    [InlineData(
        "confg",
        "uniscale: Unrecognized command or argument 'confg' (did you mean 'config'?); uniscale --help shows what there is.\n"
    )]
    [InlineData(
        "config --jsn a.yaml",
        "uniscale: Unrecognized option '--jsn' (did you mean '--json'?); uniscale config --help shows what there is.\n"
    )]
    [InlineData("config", "uniscale: config needs a configuration file, for example configs/quickstart.yaml.\n")]
    [InlineData(
        "train a.yaml --ranks x",
        "uniscale: The value 'x' of '--ranks' is not a whole number; uniscale train --help shows what there is.\n"
    )]
    [InlineData(
        "generate run --temperature 0,7",
        "uniscale: The value '0,7' of '--temperature' is not a number; uniscale generate --help shows what there is.\n"
    )]
    [InlineData(
        "generate run --tokens 1.5",
        "uniscale: The value '1.5' of '--tokens' is not a whole number; uniscale generate --help shows what there is.\n"
    )]
    [InlineData(
        "train a.yaml --stop-after 1,000",
        "uniscale: The value '1,000' of '--stop-after' is not a whole number; uniscale train --help shows what there is.\n"
    )]
    [InlineData(
        "train a.yaml --ranks 3_000_000_000",
        "uniscale: The value '3_000_000_000' of '--ranks' is beyond 2147483647; uniscale train --help shows what there is.\n"
    )]
    [InlineData("config /", "uniscale: / is a folder: give the configuration file in it.\n")]
    [InlineData(
        "config nowhere.yaml",
        "uniscale: There is no configuration file nowhere.yaml; check the path (configs/ holds examples).\n"
    )]
    public void A_mistake_of_the_user_is_one_sentence_and_exit_code_2(string line, string expected)
    {
        var (code, output, error) = CommandRun.Of(line.Split(' '));
        Assert.Equal((2, "", expected), (code, output, error));
    }

    /// <summary>A number is one number wherever it is written: in a configuration, by --set, in an option.</summary>
    [Theory]
    [InlineData("1_0")]
    [InlineData("1e1")]
    [InlineData("10.0")]
    [InlineData("1_0.0e0")]
    public void Numbers_of_options_are_written_as_in_configurations(string text)
    {
        var option = new Option<int>("--tokens");
        var nullable = new Option<long?>("--at");
        var real = new Option<double>("--margin");
        var command = new Command("take") { option, nullable, real };
        NumberOptions.ReadLikeConfigurations(new RootCommand { command });
        var parsed = command.Parse(["--tokens", text, "--at", text, "--margin", text]);
        Assert.Empty(parsed.Errors);
        Assert.Equal((10, 10L, 10.0), (parsed.GetValue(option), parsed.GetValue(nullable), parsed.GetValue(real)));
        Assert.Null(command.Parse([]).GetValue(nullable));
    }

    /// <summary>What the file system refuses is no failure of ours, whichever command meets it.</summary>
    [Theory]
    [InlineData("data import {0} --domain web --out {0}", "is a file, where a folder is needed.")]
    [InlineData("data tokenize {1} --tokenizer {2} --out {0}", "name another place, or take it away.")]
    [InlineData("tokenizer train {1} --vocabulary 280 --threads 1 --out {3}", "name a file.")]
    public void A_place_that_cannot_be_written_is_one_sentence_and_exit_code_2(string line, string expected)
    {
        using var folder = new TemporaryFolder();
        string text = folder.In("a.txt");
        File.WriteAllText(text, string.Join('\n', Enumerable.Range(0, 50).Select(i => $"line {i} of {i * i} words")));
        CommandRun.Ok("data", "import", text, "--domain", "web", "--out", folder.In("store"));
        CommandRun.Ok("tokenizer", "train", folder.In("store"), "--vocabulary", "280", "--threads", "1", "--out", folder.In("t.model"));
        string[] places = [text, folder.In("store"), folder.In("t.model"), Directory.CreateDirectory(folder.In("there")).FullName];
        var (code, _, error) = CommandRun.Of([.. line.Split(' ').Select(word => string.Format(null, word, places))]);
        Assert.Equal(2, code);
        Assert.EndsWith(expected, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(28, "make room there, or name another place.")]
    [InlineData(30, "name a place that can be written.")]
    [InlineData(122, "make room there, or name another place.")]
    public void A_disk_that_refuses_is_told_by_its_own_words(int number, string expected)
    {
        var error = new StringWriter();
        Assert.Equal(2, Shell.Report(new AggregateException(new IOException("No : '/x/y'", number)), debug: false, error));
        Assert.Equal($"uniscale: No : '/x/y': {expected}\n", error.ToString());
    }

    [Fact]
    public void A_disk_without_the_room_that_is_reserved_is_told_too()
    {
        var error = new StringWriter();
        var full = new IOException("Failed to create '/x/y' with allocation size '9' because the disk was full.");
        Assert.Equal(2, Shell.Report(full, debug: false, error));
        Assert.EndsWith("the disk was full: make room there, or name another place.\n", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_is_not_utf8_is_said_to_be_the_reason()
    {
        var error = new StringWriter();
        Assert.Equal(2, Shell.Report(new FileNotFoundException("Could not find file '/x/\uFFFD.txt'."), debug: false, error));
        Assert.Equal("uniscale: Could not find file '/x/\uFFFD.txt': its name is not UTF-8: give it another.\n", error.ToString());
    }

    [Fact]
    public void Another_failure_is_its_first_line_and_the_place_of_the_log_which_has_the_rest()
    {
        string log = Path.GetTempFileName();
        try
        {
            Shell.LogFile = log;
            var error = new StringWriter();
            Assert.Equal(1, Shell.Report(new InvalidOperationException("the sizes differ\nframe #0: deep inside"), debug: false, error));
            Assert.Equal($"uniscale: the sizes differ. The log is {log}.\n", error.ToString());
            Assert.Contains("frame #0: deep inside", File.ReadAllText(log));
        }
        finally
        {
            Shell.LogFile = null;
            File.Delete(log);
        }
    }

    [Fact]
    public void What_the_launcher_will_say_of_a_rank_stands_with_all_its_lines_in_the_ranks_log()
    {
        string log = Path.GetTempFileName();
        try
        {
            Shell.LogFile = log;
            var (failure, error) = (new InvalidOperationException("the sizes differ\nframe #0: deep inside"), new StringWriter());
            failure.Data["uniscale.reported"] = true;
            Assert.Equal(1, Shell.Report(failure, debug: false, error));
            Assert.Equal("", error.ToString());
            Assert.Contains("frame #0: deep inside", File.ReadAllText(log));
        }
        finally
        {
            Shell.LogFile = null;
            File.Delete(log);
        }
    }

    [Fact]
    public void A_failure_without_a_log_says_how_to_see_more()
    {
        var error = new StringWriter();
        Assert.Equal(1, Shell.Report(new AggregateException(new IOException("no space left on device")), debug: false, error));
        Assert.Equal("uniscale: no space left on device. Run it again with --debug to see where.\n", error.ToString());
    }

    [Fact]
    public void Debug_shows_the_stack()
    {
        var (code, _, error) = CommandRun.Of("config", "nowhere.yaml", "--debug");
        Assert.Equal(2, code);
        // Not the method: one that ran often is compiled into its caller.
        Assert.Contains("   at Uniscale.", error);
    }

    [Theory]
    [InlineData("NONSENSE --help", "Unrecognized command or argument 'NONSENSE'")]
    [InlineData("--help NONSENSE", "Unrecognized command or argument 'NONSENSE'")]
    [InlineData("help NONSENSE", "Unrecognized command or argument 'NONSENSE'")]
    [InlineData("checkpoint NONSENSE --help", "Unrecognized command or argument 'NONSENSE'")]
    [InlineData("train x.yaml --nonsense --help", "Unrecognized option '--nonsense'")]
    [InlineData("--version NONSENSE", "'NONSENSE'")]
    [InlineData("config x.yaml --docs", "--schema and --docs speak of all configurations")]
    public void What_is_unknown_is_refused_whatever_follows(string line, string expected) =>
        Assert.Contains(expected, CommandRun.Refused(line.Split(' ')), StringComparison.Ordinal);

    [Fact]
    public void Help_is_a_command_too()
    {
        Assert.Equal(CommandRun.Ok("--help"), CommandRun.Ok("help"));
        Assert.Equal(CommandRun.Ok("train", "--help"), CommandRun.Ok("help", "train"));
        Assert.Equal(CommandRun.Ok("checkpoint", "list", "--help"), CommandRun.Ok("help", "checkpoint", "list"));
    }

    [Fact]
    public void A_path_at_home_is_the_home_folders() =>
        Assert.Contains(
            $"There is no folder {Environment.GetEnvironmentVariable("HOME")}/no-such-run",
            CommandRun.Refused("checkpoint", "list", "~/no-such-run"),
            StringComparison.Ordinal
        );
}

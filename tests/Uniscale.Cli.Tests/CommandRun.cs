namespace Uniscale.Cli.Tests;

/// <summary>Runs a command line within the test process.</summary>
internal static class CommandRun
{
    public static (int Code, string Output, string Error) Of(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int code = Shell.Run(arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>What a command says that succeeds without a word of warning.</summary>
    public static string Ok(params string[] arguments)
    {
        var (code, output, error) = Of(arguments);
        Assert.Equal((0, ""), (code, error));
        return output;
    }

    /// <summary>The one sentence with which a command refuses its input, and says nothing else.</summary>
    public static string Refused(params string[] arguments)
    {
        var (code, output, error) = Of(arguments);
        Assert.Equal((2, ""), (code, output));
        return Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}

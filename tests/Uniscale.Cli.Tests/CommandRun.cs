namespace Uniscale.Cli.Tests;

/// <summary>Runs a command line within the test process.</summary>
internal static class CommandRun
{
    public static (int Code, string Output, string Error) Of(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = Shell.Run(arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}

namespace Uniscale.Evaluation.Execution;

/// <summary>Runs programs that a model wrote.</summary>
public interface ICodeRunner
{
    /// <summary>Refuses to run code where it cannot be run apart.</summary>
    /// <exception cref="Configuration.UserErrorException">What is missing.</exception>
    void Check();

    /// <summary>Whether a program runs to its last line without a failure.</summary>
    /// <param name="program">The program, with the tests that it is to pass.</param>
    bool Passes(string program);
}

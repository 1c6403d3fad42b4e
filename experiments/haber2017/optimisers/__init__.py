"""Block coordinate descent with Newton steps (Haber & Ruthotto 2017), and its race with Adam."""
